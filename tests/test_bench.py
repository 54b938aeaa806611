"""The bench's arithmetic and its processes, without timing anything that matters."""

import argparse
import functools
import json
import sys

import numpy as np
import pytest
import tensorflow as tf

from lstm_mnist import faster, plots
from lstm_mnist.commands import bench

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


def test_products_of_the_tutorials_step():
    assert bench.products(128, 28, 128) == 2 * 128 * 28 * 512 * (156 + 156 + 128)


def test_table_shows_ratios_and_what_is_missing(capsys):
    bench.show(RESULT)
    printed = capsys.readouterr().out
    assert "0.50" in printed
    assert "PyTorch nn.LSTM" in printed
    assert "missing: No module named 'torch'" in printed


def test_a_side_that_cannot_start_says_why():
    with pytest.raises(RuntimeError, match="KeyError"):
        bench.Process("nobody", {"intra": 1, "inter": 1}, sys.executable)


def test_a_side_takes_orders():
    process = bench.Process("fast", {"intra": 1, "inter": 2}, batch=4, units=8)
    answer = process.order("train", 3)
    profile = process.order("profile")["value"]
    process.close()
    assert answer["value"] > 0
    assert process.first_step > 0
    assert all(milliseconds > 0 for milliseconds in profile.values())


@pytest.mark.parametrize("arithmetic", [bench.two_products, functools.partial(bench.two_products, one_tanh=True),
                                        bench.one_product])  # fmt: skip
def test_a_rung_computes_what_the_layer_does(arithmetic):
    rng = np.random.default_rng(0)
    x, *weights = (tf.constant(rng.normal(size=size), tf.float32) for size in ((4, 5, 3), (3, 16), (4, 16), (16,)))
    ours, theirs = (lstm(x, None, *weights, False) for lstm in (bench.in_halves(arithmetic), faster.lstm))
    for a, b in zip(ours[1:], theirs[1:], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_rungs_and_recipes_are_sides():
    assert {side for side, _ in bench.LADDER.values()} <= set(bench.MAKERS)
    assert {side for *_, side in bench.QUALITY.values()} <= set(bench.SIDES)


def test_quality_is_timed_to_the_end_and_read_once(monkeypatch):
    class Process:
        first_step = 12.34

        def __init__(self, recipe, settings, seed):
            started.append((recipe, settings, seed))

        def order(self, do):
            return {"value": 0.98765}

        def close(self):
            pass

    started = []
    monkeypatch.setattr(bench, "Process", Process)
    result = bench.quality({"2019": "a", "fast": "b"}, 2)
    assert started == [("2019 recipe", "a", 0), ("quick recipe", "b", 0), ("2019 recipe", "a", 1),
                       ("quick recipe", "b", 1)]  # fmt: skip
    assert result["quick recipe"]["seconds"] == [12.3, 12.3]
    assert result["2019 recipe"]["test_accuracy"] == [0.9877, 0.9877]


def test_every_part_is_kept_before_the_next_begins(monkeypatch, tmp_path):
    output = tmp_path / "bench.json"
    output.write_text('{"quality": "of old"}')
    part = {"sides": {"fast": RESULT["sides"]["fast"] | {"settings": {}}}, "missing": {}, "peak_gflops": 100.0}
    monkeypatch.setattr(bench, "table", lambda *_: part)
    monkeypatch.setattr(bench, "ladder", lambda _: {"a rung": [1.0]})
    monkeypatch.setattr(bench, "profiled", lambda _: {})

    def growth(*_):
        kept = json.loads(output.read_text())
        assert kept["sides"]
        assert kept["ladder"] == {"a rung": [1.0]}
        raise RuntimeError("cut off")

    monkeypatch.setattr(bench, "growth", growth)
    arguments = argparse.Namespace(output=output, torch_python="python", rounds=1, quality=0, growth=True)
    with pytest.raises(RuntimeError, match="cut off"):
        bench.bench(arguments)
    assert json.loads(output.read_text())["quality"] == "of old"


def test_pictures_of_times():
    ax = plots.bench_times(RESULT).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == [row["label"] for row in RESULT["sides"].values()]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], [41, 20.5])
    assert "milliseconds" in ax.get_xlabel()
    ax = plots.rungs(["plain", "fast"], [[4, 4], [1, 3]]).axes[0]
    assert [text.get_text() for text in ax.texts] == ["1.00 of the first", "0.50 of the first"]
