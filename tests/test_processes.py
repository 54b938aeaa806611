"""Child processes: orders and answers, last words; that none outlives its parent is tried in test_workers.py."""

import contextlib
import os
import sys
from pathlib import Path

import pytest

from lstm_mnist.processes import Child, ChildError, peak_memory

ANSWERING = [sys.executable, Path(__file__).parent / "programs" / "answering_child.py"]
OTHER = "import json, os, sys; print(json.dumps(os.environ.get('COLOUR')), flush=True); sys.stdin.read()"


def test_orders_are_answered_one_by_one_and_a_failure_is_quoted():
    with Child(ANSWERING) as child:
        assert child.ask({"steps": 3}) == [{"steps": 3}, {"steps": 3}]
        child.tell("a")
        child.tell("b")
        assert [child.answer(), child.answer()] == [["a", "a"], ["b", "b"]]
        if peak_memory() is not None:
            assert 20 < peak_memory(child.process.pid) < 4000
        for _ in range(2):  # asked again, it has nothing new to say
            with pytest.raises(ChildError, match="ValueError: an order to fail"):
                child.ask("fail")
    assert child.process.poll() == 1


def test_a_child_is_stopped_however_its_context_is_left():
    with contextlib.suppress(ZeroDivisionError), Child([sys.executable, "-c", OTHER], {"COLOUR": "red"}) as child:
        assert child.answer() == "red"
        1 / 0  # noqa: B018
    assert child.process.poll() is not None
    assert "COLOUR" not in os.environ


def test_peak_memory_of_no_process_is_unknown():
    assert peak_memory("none") is None
