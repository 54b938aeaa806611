"""Break the package on purpose and see who notices: ``python tests/mutants.py`` (``make mutants``).

A mutant of ``mutants.toml`` is one search and replace in a module of ``lstm_mnist``, made in a temporary copy of the
repository. The module's own tests meet it first; if they pass, the notebook that teaches the module does. What was
caught by whom goes into ``mutants.csv``, and from there into the table of ``README.md``. With ``--notebooks-only`` the
notebook meets the mutant alone, and ``mutants_by_notebooks.csv`` says what it noticed.
"""

import argparse
import csv
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
LIST, RESULTS, README = (ROOT / "tests" / name for name in ("mutants.toml", "mutants.csv", "README.md"))
BY_NOTEBOOKS = ROOT / "tests" / "mutants_by_notebooks.csv"
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info", "build")

#: the notebook that teaches a room of the package, by the first part of a module's path
ROOMS = {
    "data": "01_data.ipynb",
    "checks": "01_data.ipynb",
    "files": "01_data.ipynb",
    "lstm": "02_lstm_graph.ipynb",
    "pretrained": "02_lstm_graph.ipynb",
    "training": "03_training.ipynb",
    "checkpoints": "03_training.ipynb",
    "evaluation": "04_evaluation.ipynb",
    "inside": "05_inside_the_lstm.ipynb",
    "drawing": "06_draw_a_digit.ipynb",
    "pad": "06_draw_a_digit.ipynb",
    "faster": "08_faster.ipynb",
    "better": "09_better.ipynb",
    "bigger": "10_bigger.ipynb",
    "plots": "05_inside_the_lstm.ipynb",
    "exercises": "solutions",
    "commands": "09_better.ipynb",
}
#: test files of modules that have none of their own name
TESTS = {
    "checks": "data",
    "checkpoints": "training",
    "pad": "drawing",
    "bigger/cluster": "sharing",
    "plots/inside": "inside",
    "plots/drawing": "drawing",
}


def notebook_of(room):
    return ROOMS[room.partition("/")[0]]


def module_and_tests(room):
    """Paths from the root: the module that the room's mutants break, and the test file that should notice."""
    first, _, last = room.partition("/")
    tests = TESTS.get(room) or (first if first in ("plots", "exercises") else last or first)
    return f"lstm_mnist/{room}.py", f"tests/test_{tests}.py"


class Mutant(NamedTuple):
    room: str
    why: str  # what is broken
    old: str  # found exactly once in the module
    new: str

    def apply(self, root=ROOT):
        """The module's path below ``root`` and its broken text; ``ValueError`` where ``old`` is not there just once."""
        path = root / module_and_tests(self.room)[0]
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{path.name} has {text.count(self.old)} places for {self.why!r}, not one: {self.old}")
        return path, text.replace(self.old, self.new)


def mutants():
    rooms = tomllib.loads(LIST.read_text(encoding="utf-8"))
    return [Mutant(room, **mutant) for room, group in rooms.items() for mutant in group]


class FirstFailure:
    """A pytest plugin that remembers which test or cell failed first."""

    name = ""

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.name = self.name or report.nodeid

    pytest_collectreport = pytest_runtest_logreport


def meet(mutant, timeout, stages):
    """A row of the results, found out in a process of its own. An empty ``old`` breaks nothing."""
    meets = {
        "tests": ([module_and_tests(mutant.room)[1]], timeout),
        "notebook": (["--nbval", f"notebooks/{notebook_of(mutant.room)}"], 3 * timeout),
    }
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(ROOT, Path(folder) / "copy", ignore=NOT_COPIED))
        if mutant.old:
            path, text = mutant.apply(copy)
            path.write_text(text, encoding="utf-8")
        os.chdir(copy)
        sys.path.insert(0, str(copy))
        os.environ |= {"PYTHONPATH": str(copy), "LSTM_MNIST_PROGRESS": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        sys.dont_write_bytecode = True
        caught, failure = "none", ""
        for stage in stages:
            if failure := first_failure(*meets[stage]):
                caught = stage
                break
    return {
        "room": mutant.room,
        "mutant": mutant.why,
        "caught_by": caught,
        "first_failure": failure.rsplit("/", 1)[-1],
        "seconds": round(time.monotonic() - start),
    }


def first_failure(arguments, timeout):
    """Run pytest until something fails; the name of that, empty if all is well."""
    import pytest

    def too_late(*_):
        raise TimeoutError(f"still running after {timeout} s")

    watch = FirstFailure()
    signal.signal(signal.SIGALRM, too_late)
    signal.alarm(timeout)
    output, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        status = pytest.main(["-x", "-q", "-n", "0", "-p", "no:cacheprovider", *arguments], plugins=[watch])
    finally:
        signal.alarm(0)
        os.dup2(output, 1)
    return watch.name or ("" if status == 0 else f"pytest ended with {status}")


def write(rows, path=RESULTS):
    """Put ``rows`` in place of older ones, drop those of mutants that are gone, and remake the table."""
    known = {(row["room"], row["mutant"]): row for row in [*read(path), *rows]}
    rows = [known[mutant[:2]] for mutant in mutants() if mutant[:2] in known]
    write_rows(path, rows[0], rows)
    put_table(path.stem.replace("_", " "), summary(rows))


def read(path):
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_rows(path, columns, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def put_table(name, table):
    """Set ``table`` between the two comments in ``README.md`` that bear its name."""
    text = README.read_text(encoding="utf-8")
    table = f"<!-- {name} -->\n{table}\n<!-- /{name} -->"
    README.write_text(re.sub(f"<!-- {name} -->.*<!-- /{name} -->", lambda _: table, text, flags=re.S), encoding="utf-8")


def summary(rows):
    lines = [
        "| broken in | mutants | caught by tests | by the notebook | by none |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for room in (*dict.fromkeys(row["room"] for row in rows), "all"):
        caught = [row["caught_by"] for row in rows if room in (row["room"], "all")]
        numbers = [len(caught), *(caught.count(by) for by in ("tests", "notebook", "none"))]
        lines.append(f"| {room} | {' | '.join(map(str, numbers))} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="mutants whose room or description holds these words")
    parser.add_argument("--survivors", action="store_true", help="only those that none caught, or that are new")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at the same time")
    parser.add_argument("--timeout", type=int, default=300, help="seconds for the tests, a third of the notebook's")
    parser.add_argument("--no-notebooks", action="store_true", help="tests alone")
    parser.add_argument("--notebooks-only", action="store_true", help="notebooks alone")
    parser.add_argument("--sample", type=int, help="so many of them, always the same ones")
    arguments = parser.parse_args()
    results = BY_NOTEBOOKS if arguments.notebooks_only else RESULTS
    chosen = [mutant for mutant in mutants() if arguments.only in f"{mutant.room}: {mutant.why}"]
    if arguments.survivors:
        caught = {(row["room"], row["mutant"]) for row in read(results) if row["caught_by"] != "none"}
        chosen = [mutant for mutant in chosen if mutant[:2] not in caught]
    if arguments.sample:
        chosen = random.Random(0).sample(chosen, arguments.sample)
    for mutant in chosen:
        mutant.apply()
    stages = ["tests"] * (not arguments.notebooks_only) + ["notebook"] * (not arguments.no_notebooks)
    tasks = [
        (Mutant(room, "nothing", "", ""), arguments.timeout, stages[:1]) for room in unbroken_rooms(chosen, stages)
    ]
    tasks += [(mutant, arguments.timeout, stages) for mutant in chosen]
    warm_up()
    rows = []
    with multiprocessing.get_context("fork").Pool(arguments.jobs, maxtasksperchild=1) as pool:
        for row in pool.imap_unordered(meet_one, tasks):
            print(
                f"{row['caught_by']:>8}  {row['room']}: {row['mutant']}  ({row['seconds']} s) {row['first_failure']}",
                flush=True,
            )
            if row["mutant"] != "nothing":
                rows.append(row)
            elif row["first_failure"]:
                raise SystemExit("an unbroken copy fails: nothing can be learnt from mutants")
            if rows:
                write(rows, results)
    print(summary(rows))


def unbroken_rooms(chosen, stages):
    """One room for each test file or notebook that the ``chosen`` mutants meet first."""
    first = {(module_and_tests(m.room)[1] if stages[0] == "tests" else notebook_of(m.room)): m.room for m in chosen}
    return first.values()


def meet_one(task):
    return meet(*task)


def warm_up():
    """Import once what every process needs: the processes are forked, and an import of TensorFlow costs seconds."""
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    import ipywidgets  # noqa: F401
    import keras  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import nbval.plugin  # noqa: F401
    import tensorflow  # noqa: F401


if __name__ == "__main__":
    main()
