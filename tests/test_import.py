import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).with_name("programs")
MIXED = "import keras; keras.config.set_dtype_policy('mixed_float16'); "
NOTE = "Keras computes in {} here, the notebooks in float32: take the floatx line out"


def run(program, *arguments):
    """Exit status, output and error output of a program in a process of its own."""
    child = subprocess.run([sys.executable, PROGRAMS / program, *arguments], capture_output=True, text=True)
    return child.returncode, child.stdout, child.stderr


def test_import_is_silent_leaves_the_runtime_alone_and_gives_an_operation_one_core(monkeypatch):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    assert run("quiet_import.py") == (0, "1 0\n", "")


def test_an_operation_has_as_many_cores_as_the_reader_says_and_another_float_type_is_noted(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "2")
    (tmp_path / "keras.json").write_text(json.dumps({"floatx": "float64"}))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    status, output, errors = run("quiet_import.py")
    assert (status, output) == (0, "2 0\n")
    assert NOTE.format("float64") in errors


def test_mixed_precision_for_everything_is_noted():
    child = subprocess.run([sys.executable, "-c", MIXED + "import lstm_mnist"], capture_output=True, text=True)
    assert NOTE.format("mixed_float16") in child.stderr


def test_import_gives_the_error_output_back_where_python_has_none():
    assert run("import_without_stderr.py", "absent") == (0, "lstm_mnist\n", "still there")


@pytest.mark.parametrize("state", ["closed", "descriptor closed"])
def test_import_works_where_the_error_output_is_closed(state):
    status, output, _ = run("import_without_stderr.py", state)
    assert (status, output) == (0, "lstm_mnist\n")
