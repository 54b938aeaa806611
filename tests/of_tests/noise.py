"""Is the suite as green on another machine? Run it under settings that imitate one: ``make noise``.

Each setting runs pytest in a process of its own and becomes a row of ``noise.csv``. For each cell with a tolerance
``tolerances.csv`` keeps what each setting used of it (1 is all), and, after ``--breaks``, the smallest break of each
kind that turned the cell red. ``README.md`` gets its tables from both. As a pytest plugin (``-p of_tests.noise``) this
file shuffles the modules and notebooks, and the tests of a module, never the cells of a notebook; ``NOISE_ORDER`` is
the seed.
"""

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from pathlib import Path

import nbformat
from of_tests.imports import ROOT
from of_tests.mutants import NOT_COPIED
from of_tests.tables import FOLDER, put_table, read, write_rows
from quoted import NOTEBOOKS

NOISE, TOLERANCES = FOLDER / "noise.csv", FOLDER / "tolerances.csv"

#: what a setting changes: the environment, pytest's arguments, or how the runs are started. TensorFlow takes as many
#: threads as it may use CPUs: with one CPU, one thread.
SETTINGS = {
    "as it is": {},
    "SSE41": {"environment": {"ONEDNN_MAX_CPU_ISA": "SSE41"}},
    "oneDNN off": {"environment": {"TF_ENABLE_ONEDNN_OPTS": "0"}},
    "one CPU, one process": {"one_cpu": True, "arguments": ["-n", "0"]},
    "random order, another hash seed": {"arguments": ["-p", "of_tests.noise"], "environment": {"PYTHONHASHSEED": "1"}},
    "two runs at once": {"runs": 2},
}

#: temporary files of others: TensorFlow's of a process that was killed, as nbval kills its kernels, and ONNX Runtime's
NOT_OURS = ("pytest-of-", "__autograph_generated_file", ".ses")

#: put at the end of the package's ``__init__.py``; {} is the strength
BREAKS = {
    "learning rate": """
_rate = keras.optimizers.Optimizer._get_current_learning_rate
keras.optimizers.Optimizer._get_current_learning_rate = lambda self: {} * _rate(self)
""",
    "pixels": """
_scale = LSTMClassifier.scale
LSTMClassifier.scale = lambda self, images: {} * _scale(self, images)
""",
}
STRENGTHS = (1.01, 1.03, 1.1, 1.3, 2)


def pytest_collection_modifyitems(items):
    modules = {}
    for item in items:
        modules.setdefault(item.nodeid.split("::")[0], []).append(item)
    shuffle = random.Random(os.environ.get("NOISE_ORDER", "1")).shuffle
    order = list(modules)
    shuffle(order)
    for module in order:
        if not module.endswith(".ipynb"):
            shuffle(modules[module])
    items[:] = [item for module in order for item in modules[module]]


def run(paths, folder, environment=(), arguments=(), one_cpu=False, runs=1, root=ROOT, prefix=(), cwd=None):
    """The outcome of each test by its name, what each tagged cell used of its tolerance, and the seconds taken.

    ``paths`` are taken from ``root``, by default tests and notebooks; ``folder`` is for files of this run's own, its
    ``tmp`` for temporary ones. A variable that is ``None`` is unset, ``prefix`` stands before the command.
    """
    temporary = Path(folder, "tmp")
    temporary.mkdir()
    noise, reports = Path(folder, "noise.jsonl"), [Path(folder, f"{n}.xml") for n in range(runs)]
    changed = {"PYTHONPATH": f"{root}{os.pathsep}{ROOT / 'tests'}", "PYTHONDONTWRITEBYTECODE": "1"}
    changed |= {"TMPDIR": str(temporary), "NBVAL_NOISE_FILE": str(noise)} | dict(environment)
    environment = {name: value for name, value in (os.environ | changed).items() if value is not None}
    command = [*prefix, sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-cell-timeout=7200"]
    command += ["-p", "no:cacheprovider", "-c", root / "pyproject.toml", *arguments]
    command += [root / path for path in paths or ("tests", "notebooks")]
    start = time.monotonic()
    with open(Path(folder, "output.txt"), "wb") as output, one_of_the_cpus() if one_cpu else contextlib.nullcontext():
        processes = [
            subprocess.Popen([*command, f"--junitxml={report}"], cwd=cwd or root, env=environment, stdout=output)
            for report in reports
        ]
        for process in processes:
            process.wait()
    outcomes = {}
    for report in reports:
        if not report.exists():
            raise SystemExit(f"pytest did not run:\n{Path(folder, 'output.txt').read_text()}")
        for case in xml.etree.ElementTree.parse(report).iter("testcase"):
            bad = case.find("failure") is not None or case.find("error") is not None
            name = f"{case.get('classname')}::{case.get('name')}" + f" (run {report.stem})" * (report != reports[0])
            outcomes[name] = "failed" if bad else "skipped" if case.find("skipped") is not None else "passed"
    parts = {}
    for line in map(json.loads, noise.read_text().splitlines() if noise.exists() else ()):
        parts[line["cell"]] = max(line["part"], parts.get(line["cell"], 0))
    return outcomes, parts, round(time.monotonic() - start)


@contextlib.contextmanager
def one_of_the_cpus():
    """Processes started meanwhile have one CPU."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def files():
    """Each file of the checkout with its time of change, but for caches and git's own."""
    skipped = {".git", ".venv", ".hypothesis", "__pycache__"}
    found = (Path(folder, name) for folder, _, names in os.walk(ROOT) for name in names)
    return {
        (path.relative_to(ROOT).as_posix(), path.stat().st_mtime_ns) for path in found if not skipped & set(path.parts)
    }


def tagged_cells():
    """(notebook, cell, tags) of each cell that has a tolerance, counted as nbval counts."""
    for path in NOTEBOOKS:
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        for number, cell in enumerate(cells):
            if tags := [tag for tag in cell.metadata.get("tags", []) if "tol-" in tag]:
                yield path.relative_to(ROOT / "notebooks").as_posix(), str(number), " ".join(tags)


def keep_tolerances(column, values):
    """Put ``values``, by (notebook, cell), in a column; cells that have changed their tags lose what was known."""
    columns = ["notebook", "cell", "tolerance", *SETTINGS, *BREAKS]
    known = {tuple(row[key] for key in columns[:3]): row for row in read(TOLERANCES)}
    rows = [known.get(cell, {}) | dict(zip(columns, cell, strict=False)) for cell in tagged_cells()]
    for row in rows:
        row[column] = values.get((row["notebook"], row["cell"]), row.get(column, ""))
    write_rows(TOLERANCES, columns, rows)
    put_table("tolerances", list(by_notebook(read(TOLERANCES))), ["notebook", "cells", "most used", *BREAKS])


def by_notebook(rows):
    """For each notebook the largest part used of a tolerance, and how many cells each kind of break turned red."""
    for notebook in dict.fromkeys(row["notebook"] for row in rows):
        cells = [row for row in rows if row["notebook"] == notebook]
        used = [float(row[setting]) for row in cells for setting in SETTINGS if row[setting]]
        red = {kind: [row[kind] for row in cells if row[kind]] for kind in BREAKS}
        yield {
            "notebook": notebook,
            "cells": len(cells),
            "most used": f"{max(used):.2f}" if used else "",
            **{kind: ", ".join(f"{found.count(s)} at {s}" for s in sorted(set(found))) for kind, found in red.items()},
        }


def cell_of(name):
    """("03_training.ipynb", "2") of "notebooks/03_training.ipynb::Cell 2"."""
    notebook, cell = name.split("::Cell ")
    return notebook.removeprefix("notebooks/"), cell


def keep(path, key, known, paths, outcomes, seconds, **more):
    """Put a row of results in ``path``, in place of an older one of the same key, in the order of ``known``."""
    count = list(outcomes.values()).count
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "keras", "numpy")]
    row = {
        **key,
        "tests": " ".join(paths) or "all",
        **{outcome: count(outcome) for outcome in ("passed", "failed", "skipped")},
        **more,
        "seconds": seconds,
        "date": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} CPUs, {processor()}",
        "versions": ", ".join([f"python {platform.python_version()}", *versions]),
    }
    ((column, name),) = key.items()
    rows = {row[column]: row for row in read(path)} | {name: row}
    rows = [rows[name] for name in known if name in rows]
    write_rows(path, row, rows)
    put_table(path.stem, rows, [column, "tests", "passed", "failed", "skipped", *more, "seconds", "date"])
    failed = [name for name, outcome in outcomes.items() if outcome == "failed"]
    print(f"{name}: {row['passed']} passed, {row['failed']} failed, {seconds} s", *failed, sep="\n    ", flush=True)


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") if Path("/proc/cpuinfo").exists() else open(os.devnull) as file:
        found = re.search(r"^model name\s*: (.*)$", file.read(), re.M)
    return found[1] if found else platform.processor()


def find_smallest_breaks(kind, paths):
    """Make the break stronger and stronger until each tagged cell has been red once."""
    cells = {cell[:2] for cell in tagged_cells() if not paths or f"notebooks/{cell[0]}" in paths}
    smallest = {}
    for strength in STRENGTHS:
        notebooks = sorted({f"notebooks/{notebook}" for notebook, _ in cells - set(smallest)})
        if not notebooks:
            break
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(shutil.copytree(ROOT, Path(folder) / "copy", ignore=NOT_COPIED))
            with open(copy / "lstm_mnist" / "__init__.py", "a", encoding="utf-8") as file:
                file.write(BREAKS[kind].format(strength))
            outcomes, _, seconds = run(notebooks, folder, root=copy)
        for notebook, cell in cells - set(smallest):
            if outcomes.get(f"notebooks.{notebook.replace('/', '.')}::Cell {cell}") == "failed":
                smallest[notebook, cell] = strength
        keep_tolerances(kind, {cell: smallest.get(cell, f"over {strength}") for cell in cells})
        print(f"{kind} times {strength}: {len(smallest)} of {len(cells)} cells have been red, {seconds} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--only", nargs="+", default=list(SETTINGS), choices=SETTINGS, metavar="SETTING")
    parser.add_argument("--paths", nargs="+", default=[], help="tests and notebooks, by default all")
    parser.add_argument("--breaks", action="store_true", help="instead: the smallest break that each tolerance notices")
    arguments = parser.parse_args()
    if arguments.breaks:
        for kind in BREAKS:
            find_smallest_breaks(kind, arguments.paths)
        return
    for setting in arguments.only:
        if SETTINGS[setting].get("one_cpu") and not hasattr(os, "sched_setaffinity"):
            print(f"{setting}: skipped: this system does not tell processes apart by CPU")
            continue
        with tempfile.TemporaryDirectory() as folder:
            before = files()
            outcomes, parts, seconds = run(arguments.paths, folder, **SETTINGS[setting])
            left = [name for name in os.listdir(Path(folder, "tmp")) if not name.startswith(NOT_OURS)]
        left += [name for name, _ in files() ^ before]
        keep(NOISE, {"setting": setting}, SETTINGS, arguments.paths, outcomes, seconds, **{"files left": len(left)})
        print(*(f"    left behind: {name}" for name in sorted(set(left))), sep="\n")
        keep_tolerances(setting, {cell_of(name): f"{part:.3g}" for name, part in parts.items()})


if __name__ == "__main__":
    main()
