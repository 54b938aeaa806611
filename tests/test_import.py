import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).with_name("programs")


def run(program, *arguments):
    """Exit status, output and error output of a program in a process of its own."""
    child = subprocess.run([sys.executable, PROGRAMS / program, *arguments], capture_output=True, text=True)
    return child.returncode, child.stdout, child.stderr


def test_import_is_silent_and_leaves_the_runtime_alone():
    assert run("quiet_import.py") == (0, "0\n", "")


@pytest.mark.parametrize(("wanted", "got"), [(None, "1"), ("2", "2")])
def test_an_operation_has_one_core_unless_the_reader_says_otherwise(wanted, got, monkeypatch):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    if wanted:
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", wanted)
    command = "import os, lstm_mnist; print(os.environ['TF_NUM_INTRAOP_THREADS'])"
    child = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert child.stdout == f"{got}\n"


def test_import_gives_the_error_output_back_where_python_has_none():
    assert run("import_without_stderr.py", "absent") == (0, "lstm_mnist\n", "still there")


@pytest.mark.parametrize("state", ["closed", "descriptor closed"])
def test_import_works_where_the_error_output_is_closed(state):
    status, output, _ = run("import_without_stderr.py", state)
    assert (status, output) == (0, "lstm_mnist\n")
