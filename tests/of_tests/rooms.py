"""The rooms of the package: which notebook each belongs to, and which tests could know that it is broken."""

import functools

from of_tests.imports import MODULES, ROOT, imports

#: the rooms of each notebook, its own name first
ROOMS = {
    1: ["data"],
    2: ["lstm", "pretrained"],
    3: ["training", "watchers", "checkpoints"],
    4: ["evaluation"],
    5: ["inside"],
    6: ["drawing", "pad", "exercises"],
    8: ["faster"],
    9: ["better"],
    10: ["bigger"],
}
NUMBER = {room: number for number, rooms in ROOMS.items() for room in rooms}
LESSONS = {int(path.stem[:2]): path for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")}
TESTS = ROOT / "tests"
BROWSER = ("test_browser", "test_front_door")


def room_of(module):
    """ "better" of "lstm_mnist.better.recipes", "" of the package itself."""
    return module.partition(".")[2].partition(".")[0]


@functools.cache
def all_imports(path):
    """Modules that a file imports, with those that these import, and so on."""
    found, new = set(), set(imports(path))
    while new:
        found |= new
        new = {name for module in new for name in imports(MODULES[module])} - found
    return found


def tests_of(module):
    """``{stage: paths from the root}``: the module's own test files, all others that import it, and the browser's."""
    _, first, *rest = module.split(".")
    own = [TESTS / f"test_{name}.py" for name in (first, *rest)]
    knowing = [path for path in sorted(TESTS.glob("test_*.py")) if module in all_imports(path)]
    knowing.sort(key=lambda path: module not in imports(path))  # those that import it themselves first
    stages = {
        "own": [path for path in own if path.exists()],
        "others": [path for path in knowing if path not in own and path.stem not in BROWSER],
        "browser": [path for path in knowing if path.stem in BROWSER],
    }
    return {stage: [path.relative_to(ROOT).as_posix() for path in paths] for stage, paths in stages.items()}


def notebooks_of(module):
    """Paths from the root: the notebook of the module's room or of the lesson that it serves; solutions run checks."""
    _, first, *rest = module.split(".")
    paths = [LESSONS[NUMBER[name]] for name in (first, *rest) if NUMBER.get(name) in LESSONS and name != "exercises"]
    if first == "exercises":
        paths = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
    return [path.relative_to(ROOT).as_posix() for path in paths]
