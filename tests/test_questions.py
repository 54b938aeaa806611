"""The questions of notebook 00: each is answered under a heading that exists."""

import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
WHERE = re.compile(r'\[(\d\d)\]\((\d\d_\w+\.ipynb)\), "([^"]+)"')


def markdown(name):
    cells = nbformat.read(NOTEBOOKS / name, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def questions():
    """The rows of the table: question, one line, where there is more."""
    section = markdown("00_start_here.ipynb").split("## Questions people ask\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def test_there_are_questions_and_none_twice():
    asked = [question for question, _, _ in questions()]
    assert len(asked) == len(set(asked)) >= 15
    assert all(question.endswith("?") for question in asked)


@pytest.mark.parametrize("row", questions(), ids=lambda row: row[0])
def test_each_link_meets_its_heading(row):
    _, answer, where = row
    assert answer.endswith(".")
    number, name, heading = WHERE.fullmatch(where).groups()
    assert name.startswith(f"{number}_")
    assert re.search(rf"^#+ {re.escape(heading)}$", markdown(name), re.M)
