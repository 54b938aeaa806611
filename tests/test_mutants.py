"""Every mutant of ``make mutants`` still breaks what it is meant to break; who catches it is that command's matter."""

import ast

import pytest
from mutants import ROOT, module_and_tests, mutants, notebook_of

MUTANTS = mutants()
MODULES = sorted({mutant.room for mutant in MUTANTS})


def test_there_are_many_and_none_twice():
    assert len(MUTANTS) >= 60
    assert len({mutant[:2] for mutant in MUTANTS}) == len(MUTANTS)
    assert len({(module_and_tests(m.room)[0], m.old, m.new) for m in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("room", MODULES)
def test_every_mutant_applies_and_is_still_python(room):
    broken = [mutant for mutant in MUTANTS if mutant.room == room]
    for mutant in broken:
        _, text = mutant.apply()
        ast.parse(text)


@pytest.mark.parametrize("room", MODULES)
def test_every_room_has_its_files(room):
    for path in (*module_and_tests(room), f"notebooks/{notebook_of(room)}"):
        assert (ROOT / path).exists()


def test_a_mutant_without_its_place_is_an_error():
    with pytest.raises(ValueError, match="has 0 places for"):
        MUTANTS[0]._replace(old="no such words").apply()
