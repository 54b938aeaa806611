"""Every mutant of ``make mutants`` still breaks what it is meant to break; who notices it is that command's matter."""

import ast

import pytest
from of_tests.mutants import MISSED, ROOT, STAGES, mutants, summary, without_place

MUTANTS = mutants()
ROOMS = sorted({mutant.room for mutant in MUTANTS})


def test_there_are_many_and_none_twice():
    assert len(MUTANTS) >= 200
    assert len({mutant[:2] for mutant in MUTANTS}) == len(MUTANTS)
    assert len({(mutant.room, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("room", ROOMS)
def test_every_mutant_applies_and_is_still_python(room):
    broken = [mutant for mutant in MUTANTS if mutant.room == room]
    assert not without_place(broken)
    for mutant in broken:
        ast.parse(mutant.apply()[1])


@pytest.mark.parametrize("room", ROOMS)
def test_every_mutant_meets_files_that_exist(room):
    stages = next(mutant for mutant in MUTANTS if mutant.room == room).meets()
    assert stages
    for paths in stages.values():
        assert all((ROOT / path).exists() for path in paths)


def test_a_mutant_of_the_data_meets_all_that_read_data():
    stages = next(mutant for mutant in MUTANTS if mutant.room == "data").meets()
    assert stages["own"] == ["tests/test_data.py"]
    assert {"tests/test_training.py", "tests/test_faults.py", "tests/test_properties.py"} <= set(stages["others"])
    assert stages["notebooks"] == ["notebooks/01_data.ipynb"]


def test_a_mutant_without_its_place_is_named():
    (problem,) = without_place([MUTANTS[0]._replace(old="no such words"), MUTANTS[1]])
    assert "has 0 places for" in problem


def test_the_summary_counts_who_noticed_of_those_who_met():
    rows = [dict.fromkeys(STAGES, "") | {"room": "a", "own": "test_a.py::test"}]
    rows += [dict.fromkeys(STAGES, "") | {"room": "a", "own": MISSED, "notebooks": MISSED}]
    line, total = summary(rows)
    assert line == total | {"broken in": "a"}
    assert (line["mutants"], line["own"], line["others"], line["notebooks"]) == (2, "1 of 2", "", "0 of 1")
    assert line["by none"] == 1
