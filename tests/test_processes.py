"""Child processes: orders and answers, last words, and that none outlives its parent."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lstm_mnist.processes import Child, ChildError, peak_memory

PROGRAMS = Path(__file__).parent / "programs"
ANSWERING = [sys.executable, PROGRAMS / "answering_child.py"]
OTHER = "import json, os, sys; print(json.dumps(os.environ.get('COLOUR')), flush=True); sys.stdin.read()"


def test_orders_are_answered_one_by_one_and_a_failure_is_quoted():
    with Child(ANSWERING) as child:
        assert child.ask({"steps": 3}) == [{"steps": 3}, {"steps": 3}]
        child.tell("a")
        child.tell("b")
        assert [child.answer(), child.answer()] == [["a", "a"], ["b", "b"]]
        if peak_memory() is not None:
            assert 20 < peak_memory(child.pid) < 4000
        for _ in range(2):  # asked again, it has nothing new to say
            with pytest.raises(ChildError, match="ValueError: an order to fail"):
                child.ask("fail")
    assert child.poll() == 1


def test_a_child_is_stopped_however_its_context_is_left():
    with contextlib.suppress(ZeroDivisionError), Child([sys.executable, "-c", OTHER], {"COLOUR": "red"}) as child:
        assert child.answer() == "red"
        1 / 0  # noqa: B018
    assert child.poll() is not None
    assert "COLOUR" not in os.environ


def test_peak_memory_of_no_process_is_unknown():
    assert peak_memory("none") is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("program", ["parent_of_workers.py", "parent_of_held_up.py"])
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_no_child_outlives_the_process_that_started_it(program, end, tmp_path):
    if program == "parent_of_held_up.py" and sys.platform != "linux":
        pytest.skip("only Linux ends a process that is held up")
    command, environment = [sys.executable, PROGRAMS / program], os.environ | {"TMPDIR": str(tmp_path)}
    parent = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    children = [int(pid) for pid in parent.stdout.readline().split()]
    parent.send_signal(end)
    parent.communicate(timeout=60)
    limit = time.monotonic() + 120  # workers that are still importing TensorFlow end after that
    while left := [child for child in children if is_running(child)]:
        assert time.monotonic() < limit, [os.kill(child, signal.SIGKILL) for child in left]
        time.sleep(0.1)
    assert children
    assert not list(tmp_path.iterdir())


def is_running(pid):
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return os.path.isdir("/proc/self")  # without /proc, signal 0 has to do
