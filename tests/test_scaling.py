"""What ``workers --measure`` makes of its turns, without timing anything that matters."""

import contextlib
import json

import pytest

from lstm_mnist.commands import scaling


class Answering(contextlib.AbstractContextManager):
    """A child that answers every order with ``milliseconds`` times it."""

    def __init__(self, milliseconds):
        self.milliseconds = milliseconds

    def __exit__(self, *_):
        pass

    def tell(self, batch):
        self.batch = batch

    def answer(self):
        return self.milliseconds * self.batch


def made_up(kind, cores):
    """In place of ``scaling.start``: a child a core, the second twice as slow as the first."""
    return [Answering(n + 1) for n, _ in enumerate(cores)]


def test_a_step_takes_as_long_as_its_slowest_process():
    assert scaling.milliseconds(made_up("workers", [[0], [1]]), 128) == 256


def test_every_arrangement_has_its_rounds_for_each_of_its_batches(monkeypatch):
    monkeypatch.setattr(scaling, "start", made_up)
    times, sums = scaling.measure_steps(rounds=3)
    assert {side: list(batches) for side, batches in times.items()} == {
        side: [str(batch) for batch in batches] for side, (*_, batches) in scaling.SIDES.items()
    }
    assert times["one core"]["64"] == [64, 64, 64]
    assert times["workers"]["512"] == [1024, 1024, 1024]
    assert sums == [0, 0, 0]


def test_results_are_written_only_where_asked(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(scaling, "CORES", 2)
    monkeypatch.setattr(scaling, "measure_steps", lambda: ({"one core": {"64": [1.0, 3.0, 2.0]}}, [0.5]))
    monkeypatch.setattr(scaling, "measure_streams", lambda: [])
    scaling.measure()
    assert "2.00 ms a step" in capsys.readouterr().out
    scaling.measure(tmp_path / "scaling.json")
    kept = json.loads((tmp_path / "scaling.json").read_text())
    assert kept["step_ms"] == {"one core": {"64": [1.0, 3.0, 2.0]}}
    assert kept["message_bytes"] == 4 * (81_674 + 2)


def test_one_core_is_refused(monkeypatch):
    monkeypatch.setattr(scaling, "CORES", 1)
    with pytest.raises(SystemExit, match="needs two cores"):
        scaling.measure()
