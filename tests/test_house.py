"""The house: every notebook has its room in the package; later rooms know earlier ones, never the other way round."""

import graphlib
import re

import pytest
from of_tests.imports import MODULES, ROOT, imports
from of_tests.rooms import LESSONS, NUMBER, ROOMS, room_of

WITHOUT_ROOM = {0: "the map of all rooms", 7: "the 2019 program beside today's, all in the notebook"}
#: what every room may use, and what these may use themselves
FOUNDATIONS = {"checks": set(), "files": {"checks"}, "processes": set(), "plots": {"checks", "files"}}
ONE_EXCEPTION = ("lstm", "faster")  # the layer calls the quick arithmetic at one place
LAST = ["commands", "__main__"]  # what only a command needs


def pairs():
    """Each import between rooms, as (room, room)."""
    for module, path in MODULES.items():
        for imported in imports(path):
            if room_of(module) != room_of(imported):
                yield room_of(module), room_of(imported)


def test_every_module_is_in_a_room_and_every_room_exists():
    there = {room_of(module) for module in MODULES} - {""}
    assert there <= {*NUMBER, *FOUNDATIONS, *LAST}
    assert {*LAST, *(rooms[0] for rooms in ROOMS.values())} <= there


@pytest.mark.parametrize("number", sorted(LESSONS))
def test_every_notebook_has_a_room_of_its_name_with_tests(number):
    if number in WITHOUT_ROOM:
        assert number not in ROOMS
        return
    room = ROOMS[number][0]
    assert room[:4] in LESSONS[number].stem
    parts = [module.rsplit(".", 1)[1] for module in MODULES if room_of(module) == room]
    assert any((ROOT / "tests" / f"test_{part}.py").exists() for part in parts)


def test_rooms_know_earlier_rooms_only():
    for room, imported in pairs():
        if room in NUMBER and imported in NUMBER and (room, imported) != ONE_EXCEPTION:
            assert NUMBER[imported] <= NUMBER[room], f"{room} imports {imported}, of a later notebook"


def test_foundations_stand_on_nothing():
    for room, imported in pairs():
        if room in FOUNDATIONS:
            assert imported in FOUNDATIONS[room], f"{room} imports {imported}"


def test_what_a_reader_calls_knows_no_command():
    assert not [pair for pair in pairs() if pair[1] in LAST and pair[0] not in LAST]


def test_no_modules_import_each_other_in_a_circle():
    graph = {module: imports(path, everywhere=False) - {module, "lstm_mnist"} for module, path in MODULES.items()}
    assert list(graphlib.TopologicalSorter(graph).static_order())


def test_pictures_need_no_tensorflow():
    for module, path in MODULES.items():
        if room_of(module) == "plots":
            assert not re.search(r"^\s*(?:import|from) (?:tensorflow|keras)", path.read_text(encoding="utf-8"), re.M)


def test_imports_are_read_from_the_syntax(tmp_path):
    found = imports(MODULES["lstm_mnist.commands.bench"])
    assert {"lstm_mnist.data", "lstm_mnist.better.networks", "lstm_mnist.commands.peers", "lstm_mnist.files"} <= found
    program = tmp_path / "program.py"
    program.write_text("from lstm_mnist import data\n\n\ndef late():\n    from lstm_mnist.bigger import shards\n")
    assert imports(program) == {"lstm_mnist.data", "lstm_mnist.bigger.shards"}
    assert imports(program, everywhere=False) == {"lstm_mnist.data"}
