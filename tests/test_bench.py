"""The bench's arithmetic, its turns and its processes, without timing anything that matters."""

import inspect
import itertools
import json

import numpy as np
import pytest
import tensorflow as tf

from lstm_mnist import LSTM, plots
from lstm_mnist.commands import bench, peers
from lstm_mnist.processes import ChildError

SMALL = {"batch": 4, "time_steps": 28, "units": 8}
RESULT = {
    "date": "2026-01-01",
    "machine": {"processor": "a processor", "cores": 2},
    "peak_gflops": 100.0,
    "sides": {
        side: {
            "label": bench.SIDES[side][0],
            "train_ms": times,
            "predict_s": [0.5, 0.7],
            "peak_memory_mb": 800,
            "first_step_s": 9.0,
        }
        for side, times in (("keras", [40.0, 42.0]), ("fast", [20.0, 21.0]))
    },
    "missing": {"torch": "No module named 'torch'"},
}


def test_table_shows_ratios_and_what_is_missing(capsys):
    bench.show(RESULT)
    printed = capsys.readouterr().out
    assert "0.50" in printed
    assert "PyTorch nn.LSTM" in printed
    assert "missing: No module named 'torch'" in printed


@pytest.mark.parametrize("name", [*peers.PROGRAMS, *bench.PROGRAMS])
def test_every_program_takes_the_work_by_name(name):
    program = (peers.PROGRAMS | bench.PROGRAMS)[name]
    assert inspect.signature(program).bind({}, **{"seed": 0} if name in bench.TRAININGS else SMALL)


def test_a_program_that_cannot_start_says_why():
    with bench.start("nobody", {}, **SMALL) as child, pytest.raises(ChildError, match="KeyError"):
        bench.ready(child)


@pytest.mark.parametrize(
    ("program", "settings", "changed"),
    [
        ("keras", {}, {"TF_NUM_INTRAOP_THREADS": None, "TF_ENABLE_ONEDNN_OPTS": None}),
        ("keras", {"onednn": 0}, {"TF_NUM_INTRAOP_THREADS": None, "TF_ENABLE_ONEDNN_OPTS": "0"}),
        ("fast", {}, {}),
        ("fast", {"onednn": 1}, {"TF_ENABLE_ONEDNN_OPTS": "1"}),
    ],
)
def test_peers_have_what_they_would_have_without_this_package(program, settings, changed, monkeypatch):
    monkeypatch.setattr(bench, "Child", lambda command, environment: environment)
    assert bench.start(program, settings, **SMALL) == changed


def test_a_program_of_this_package_takes_orders():
    with bench.start("fast", {"intra": 1, "inter": 2, "onednn": 0}, **SMALL) as child:
        assert bench.ready(child) > 0
        assert bench.step_ms(child, 3) > 0
        assert child.ask(["predict"]) > 0
        assert all(milliseconds > 0 for milliseconds in child.ask(["profile"]).values())


@pytest.mark.parametrize("arithmetic", [bench.row_after_row, bench.one_operation])
def test_a_rung_computes_what_the_layer_does(arithmetic):
    rung, layer = bench.Rung(4, arithmetic), LSTM(4)
    x = tf.constant(np.random.default_rng(0).normal(size=(4, 5, 3)), tf.float32)
    rung(x)
    layer.build(x.shape)
    rung.set_weights(layer.get_weights())
    np.testing.assert_allclose(rung(x), layer(x), atol=1e-6)


def test_batches_are_mnists_pixels_in_order():
    images, labels = peers.digits(batch=3, time_steps=28)
    images, labels = np.concatenate(images[:2]), np.concatenate(labels[:2])
    with np.load(peers.MNIST_FILE) as archive:
        np.testing.assert_array_equal(images, archive["x_train"][:6])
        np.testing.assert_array_equal(labels, archive["y_train"][:6])
        long, _ = peers.digits(batch=1, time_steps=56)
        np.testing.assert_array_equal(long[0, 0], archive["x_train"][:2].reshape(56, 28))


def test_programs_of_the_tables_exist():
    programs = {*peers.PROGRAMS, *bench.PROGRAMS}
    assert {program for _, program, _ in bench.SIDES.values()} <= programs
    assert {program for program, _ in bench.LADDER.values()} <= programs
    assert set(bench.TRAININGS) <= programs
    assert {side for _, side in bench.TRAININGS.values()} <= set(bench.SIDES)


def test_sides_take_turns_and_the_first_round_is_not_counted():
    clock, order = itertools.count(), []

    def measure(name, side):
        order.append(name + side)
        return next(clock)

    assert bench.in_turn({"a": "x", "b": "y"}, measure, rounds=2) == {"a": [2, 4], "b": [3, 5]}
    assert order == ["ax", "by"] * 3


class Learner:
    """A child whose training is over at once."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def ask(self, order):
        return 0.98765


def test_trainings_are_timed_to_the_end_and_read_once(monkeypatch):
    started = []

    def start(*what, **work):
        started.append((*what, work))
        return Learner()

    monkeypatch.setattr(bench, "start", start)
    monkeypatch.setattr(bench, "ready", lambda child: 12.34)
    result = bench.measure_trainings({"2019": "a", "fast": "b"}, seeds=2)
    assert started == [
        (name, settings, {"seed": seed})
        for seed in (0, 1)
        for name, settings in (("2019 recipe", "a"), ("quick recipe", "b"), ("quickest recipe", "b"))
    ]
    assert result["quick recipe"]["seconds"] == [12.3, 12.3]
    assert result["2019 recipe"]["test_accuracy"] == [0.9877, 0.9877]


def test_a_race_of_a_recipe_trains_that_recipe():
    for name in ("quick", "quickest"):
        assert bench.PROGRAMS[f"{name} recipe"].keywords == {"recipe": name}


def test_every_part_is_kept_before_the_next_begins(monkeypatch, tmp_path):
    output = tmp_path / "bench.json"
    output.write_text('{"quality": "of old"}')
    part = {"sides": {"fast": RESULT["sides"]["fast"] | {"settings": {}}}, "missing": {}, "peak_gflops": 100.0}
    monkeypatch.setattr(bench, "measure_sides", lambda: part)
    monkeypatch.setattr(bench, "measure_ladder", lambda: {"a rung": [1.0]})

    def cut_off(*_):
        kept = json.loads(output.read_text())
        assert kept["sides"]
        assert kept["ladder"] == {"a rung": [1.0]}
        raise RuntimeError("cut off")

    monkeypatch.setattr(bench, "measure_profile", cut_off)
    with pytest.raises(RuntimeError, match="cut off"):
        bench.bench(output)
    assert json.loads(output.read_text())["quality"] == "of old"


def test_the_picture_of_times():
    ax = plots.bench_times(RESULT).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == [row["label"] for row in RESULT["sides"].values()]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], [41, 20.5])
    assert "milliseconds" in ax.get_xlabel()


def test_a_side_takes_the_settings_of_its_fastest_step(monkeypatch):
    monkeypatch.setattr(bench, "start", lambda program, settings, **_: Stepper(settings))
    monkeypatch.setattr(bench, "ready", lambda child: 1.0)
    monkeypatch.setattr(bench, "CORES", 2)
    monkeypatch.setitem(bench.SIDES, "made up", ("a side", "fast", ({"ms": 3.0}, {"ms": 1.0}, {"ms": 2.0})))
    assert bench.best_settings("made up") == {"ms": 1.0}


class Stepper(Learner):
    """A child whose step takes what its settings say, in seconds for 20 steps."""

    def __init__(self, settings):
        self.seconds = settings["ms"] / 1000 * peers.COUNT

    def ask(self, order):
        return self.seconds
