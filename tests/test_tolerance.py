"""The net under the notebooks: does a real difference turn a cell red, and a tolerated one not?"""

import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import nbformat
import numpy as np
import pytest

from conftest import largest_part, take_stored_decimals

CONFTEST = Path(__file__).parent.parent / "conftest.py"


@pytest.mark.parametrize(
    ("new", "stored", "atol", "rtol", "same"),
    [
        ("loss 0.1010", "loss 0.1000", 0.01, 0, True),
        ("loss 0.1210", "loss 0.1000", 0.01, 0, False),
        ("loss 110.0", "loss 100.0", 0, 0.1, True),
        ("loss 120.0", "loss 100.0", 0, 0.1, False),
        ("a -0.10, b 2.00", "a -0.11, b 2.01", 0.02, 0, True),
        ("a 0.10, b 2.00", "a -0.11, b 2.01", 0.02, 0, False),
        ("step 11: 0.5", "step 10: 0.5", 100, 0, False),
        ("0.5 0.5", "0.5", 100, 0, False),
        ("good 0.5", "bad 0.5", 100, 0, False),
        ("nan", "0.5", 100, 0, False),
        ("0.5", "nan", 100, 0, False),
        ("1e-3 is 1.1e-03", "1e-3 is 1.0e-03", 0.001, 0, True),
        ("TensorFlow 2.21.1", "TensorFlow 2.21.0", 10, 0, False),
    ],
)
def test_only_decimals_within_the_tolerance_pass(new, stored, atol, rtol, same):
    assert (take_stored_decimals(new, stored, atol, rtol) == stored) is same


@pytest.mark.parametrize(
    ("new", "atol", "rtol", "part"),
    [
        ("2 of 0.10, 0.50", 0.01, 0, 0),
        ("2 of 0.12, 0.51", 0.01, 0, 2),
        ("2 of 0.10, 1.00", 0, 0.1, 5),
        ("2 of 0.10, 1.00", 0.05, 0.1, 5),
        ("2 of 0.10", 0.01, 0, np.inf),
    ],
)
def test_the_part_of_the_tolerance_that_is_used(new, atol, rtol, part):
    assert largest_part(new, "2 of 0.10, 0.50", atol, rtol) == pytest.approx(part)


#: (a cell's source, its tags, whether it should pass), stored with the output "loss 0.100"
CELLS = [
    ("print('loss 0.105')", ["nbval-atol-0.01"], True),
    ("print('loss 0.105')", [], False),
    ("print('loss 0.205')", ["nbval-atol-0.01"], False),
    ("print('lass 0.105')", ["nbval-atol-0.01"], False),
    ("print('loss 0.105'); import sys; print('oops', file=sys.stderr)", ["nbval-atol-0.01"], False),
    ("pass", ["nbval-atol-0.01"], False),
]


def test_nbval_with_the_hook(tmp_path):
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    output = nbformat.v4.new_output("stream", name="stdout", text="loss 0.100\n")
    for n, (source, tags, _) in enumerate(CELLS):
        cell = nbformat.v4.new_code_cell(source, execution_count=n + 1, outputs=[output], metadata={"tags": tags})
        notebook.cells.append(cell)
    nbformat.write(notebook, tmp_path / "one.ipynb")
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    options = ["-q", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider", "--junitxml=report.xml", "."]
    subprocess.run([sys.executable, "-m", "pytest", *options], cwd=tmp_path, stdout=subprocess.DEVNULL)
    cases = xml.etree.ElementTree.parse(tmp_path / "report.xml").iter("testcase")
    assert [case.find("failure") is None for case in cases] == [passes for *_, passes in CELLS]
