"""Break the package on purpose and see who notices: ``make mutants``, or ``python -m of_tests.mutants`` in ``tests``.

A mutant of ``mutants.toml`` is one search and replace in a module of ``lstm_mnist``, made in a temporary copy of the
repository. It meets, stage after stage, every test that could know it: the module's own test file, every other that
imports the module, the browser's, and the notebook of its room. It stops at the first that notices, or, with ``--all``,
meets every stage. What was noticed goes into ``mutants.csv`` and from there into the table of ``README.md``.
"""

import argparse
import multiprocessing
import multiprocessing.pool
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

from of_tests.imports import MODULES, ROOT
from of_tests.rooms import notebooks_of, tests_of
from of_tests.tables import FOLDER, put_table, read, write_rows

LIST, RESULTS = FOLDER / "mutants.toml", FOLDER / "mutants.csv"
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info", "build")
STAGES = ("own", "others", "browser", "notebooks")
LONGER = {"own": 1, "others": 5, "browser": 2, "notebooks": 3}  # times the time limit
MISSED = "missed"  # in the table: the stage was met, and all was green


class Mutant(NamedTuple):
    room: str  # "better/recipes": the module's path without its ending
    why: str  # what is broken
    old: str  # found exactly once in the module
    new: str

    @property
    def module(self):
        return "lstm_mnist." + self.room.replace("/", ".")

    def meets(self):
        """``{stage: paths}``, without the stages that have nothing to meet it with."""
        stages = tests_of(self.module) | {"notebooks": notebooks_of(self.module)}
        return {stage: paths for stage, paths in stages.items() if paths}

    def apply(self, root=ROOT):
        """The module's path below ``root`` and its broken text; ``ValueError`` where ``old`` is not there just once."""
        path = root / MODULES[self.module].relative_to(ROOT)
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.room} has {text.count(self.old)} places for {self.why!r}, not one: {self.old}")
        return path, text.replace(self.old, self.new)


def mutants():
    rooms = tomllib.loads(LIST.read_text(encoding="utf-8"))
    return [Mutant(room, **mutant) for room, group in rooms.items() for mutant in group]


def without_place(chosen):
    """What is wrong with those whose place in the module is gone."""
    problems = []
    for mutant in chosen:
        try:
            mutant.apply()
        except ValueError as error:
            problems.append(str(error))
    return problems


class FirstFailure:
    """A pytest plugin that remembers which test or cell failed first."""

    name = ""

    def pytest_runtest_logreport(self, report):
        if report.failed and not self.name:
            self.name = report.nodeid

    pytest_collectreport = pytest_runtest_logreport


def meet(mutant, timeout, stages, every):
    """A row of the results, found out in processes of their own. A mutant without an ``old`` breaks nothing."""
    start = time.monotonic()
    row = {"room": mutant.room, "mutant": mutant.why} | dict.fromkeys(STAGES, "")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(ROOT, Path(folder) / "copy", ignore=NOT_COPIED))
        if mutant.old:
            path, text = mutant.apply(copy)
            path.write_text(text, encoding="utf-8")
        for stage, paths in mutant.meets().items():
            if stage not in stages:
                continue
            failure = in_process(first_failure, copy, paths, LONGER[stage] * timeout)
            row[stage] = failure.rsplit("/", 1)[-1] or MISSED
            if failure and not every:
                break
    return row | {"seconds": round(time.monotonic() - start)}


def in_process(function, *arguments):
    """What the function returns in a fork of this process."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=lambda: sender.send(function(*arguments)))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        return "the process ended"
    finally:
        process.join()


def first_failure(copy, paths, timeout):
    """Run pytest in the copy until something fails; the name of that, empty if all is well."""
    import pytest

    def too_late(*_):
        raise TimeoutError(f"still running after {timeout} s")

    os.chdir(copy)
    sys.path[:0] = [str(copy), str(copy / "tests")]
    os.environ |= {"PYTHONPATH": str(copy), "LSTM_MNIST_PROGRESS": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    for name in [name for name in sys.modules if name.partition(".")[0] == "of_tests"]:
        del sys.modules[name]  # the copy has its own
    watch = FirstFailure()
    signal.signal(signal.SIGALRM, too_late)
    signal.alarm(timeout)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    options = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider"]
    if paths[0].endswith(".ipynb"):
        options.append("--nbval")
    status = pytest.main([*options, *paths], plugins=[watch])
    signal.alarm(0)
    if status and not watch.name:
        return f"pytest ended with {status}"
    return watch.name


def write(rows):
    """Put ``rows`` in place of older ones, drop those of mutants that are gone, and remake the table."""
    known = {(row["room"], row["mutant"]): row for row in [*read(RESULTS), *rows]}
    rows = [known[mutant[:2]] for mutant in mutants() if mutant[:2] in known]
    write_rows(RESULTS, ["room", "mutant", *STAGES, "seconds"], rows)
    put_table("mutants", list(summary(rows)), ["broken in", "mutants", *STAGES, "by none"])


def summary(rows):
    """How many each stage noticed, of those that it met."""
    for room in (*dict.fromkeys(row["room"] for row in rows), "all"):
        met = [row for row in rows if room in (row["room"], "all")]
        line = {"broken in": room, "mutants": len(met), "by none": sum(map(survived, met))}
        for stage in STAGES:
            answers = [row[stage] for row in met if row[stage]]
            line[stage] = f"{sum(answer != MISSED for answer in answers)} of {len(answers)}" if answers else ""
        yield line


def survived(row):
    return {row[stage] for stage in STAGES} <= {"", MISSED}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--only", default="", help="mutants whose room or description holds these words")
    parser.add_argument("--new", action="store_true", help="only those that nobody noticed, or that are new")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at the same time")
    parser.add_argument("--timeout", type=int, default=300, help="seconds for a module's own tests")
    parser.add_argument("--stages", nargs="+", default=STAGES, choices=STAGES, help="by default all")
    parser.add_argument("--all", action="store_true", help="meet every stage, even after one has noticed")
    parser.add_argument("--sample", type=int, help="so many of them, always the same ones")
    arguments = parser.parse_args()
    chosen = [mutant for mutant in mutants() if arguments.only in f"{mutant.room}: {mutant.why}"]
    if arguments.new:
        noticed = {(row["room"], row["mutant"]) for row in read(RESULTS) if not survived(row)}
        chosen = [mutant for mutant in chosen if mutant[:2] not in noticed]
    if arguments.sample:
        chosen = random.Random(0).sample(chosen, arguments.sample)
    if problems := without_place(chosen):
        raise SystemExit("\n".join(["these no longer apply:", *problems]))
    unbroken = {mutant.room: Mutant(mutant.room, "nothing", "", "") for mutant in chosen}.values()
    first = tuple(arguments.stages)[:1]
    tasks = [(mutant, arguments.timeout, first, False) for mutant in unbroken]
    tasks += [(mutant, arguments.timeout, arguments.stages, arguments.all) for mutant in chosen]
    warm_up()
    rows = []
    with multiprocessing.pool.ThreadPool(arguments.jobs) as pool:
        for row in pool.imap_unordered(lambda task: meet(*task), tasks):
            noticed = {stage: row[stage] for stage in STAGES if row[stage]}
            print(f"{row['room']}: {row['mutant']} ({row['seconds']} s): {noticed}", flush=True)
            if row["mutant"] != "nothing":
                rows.append(row)
                write(rows)
            elif not survived(row):
                raise SystemExit("an unbroken copy fails: nothing can be learnt from mutants")


def warm_up():
    """Import once what every process needs: the processes are forked, and an import of TensorFlow costs seconds."""
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    import anywidget  # noqa: F401
    import keras  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import nbval.plugin  # noqa: F401
    import tensorflow  # noqa: F401


if __name__ == "__main__":
    main()
