"""``python -m lstm_mnist timings``: each notebook's minutes and memory, for README and the notebooks' heads."""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ..files import all_or_nothing

ROOT = Path(__file__).parents[2]


def timings(keep=False):
    """Run each notebook in its own process; print its minutes and peak memory, ``keep`` them in its head and README."""
    rows = []
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        seconds, gigabytes = _run_notebook(path)
        measured = f"{seconds / 60:.1f} minutes and {gigabytes:.1f} GB of memory"
        if keep:
            _substitute(path, r"\*Measured: about .*? on 2 CPU cores", f"*Measured: about {measured} on 2 CPU cores")
        rows.append(f"| [{path.stem}](notebooks/{path.name}) | {seconds / 60:.1f} | {gigabytes:.2f} |")
        print(path.stem, measured, flush=True)
    table = "\n".join(["| notebook | minutes | peak memory, GB |", "| --- | ---: | ---: |", *rows])
    if keep:
        table = f"<!-- timings -->\n{table}\n<!-- /timings -->"
        _substitute(ROOT / "README.md", r"<!-- timings -->.*<!-- /timings -->", table)
    else:
        print("printed only: with --keep they go into README.md and the notebooks' heads")


def _run_notebook(path):
    with tempfile.TemporaryDirectory() as folder:
        execute = ["nbconvert", "--to", "notebook", "--execute", "--log-level", "ERROR", "--output-dir", folder, path]
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "jupyter", *map(str, execute)])
        _, status, usage = os.wait4(process.pid, 0)  # the largest of the process and its kernel
        if status:
            raise SystemExit(f"{path} failed")
        return time.perf_counter() - start, usage.ru_maxrss * 1024 / 1e9


def _substitute(path, pattern, text):
    old = path.read_text(encoding="utf-8")
    new, found = re.subn(pattern, lambda _: text, old, flags=re.DOTALL)
    if not found:
        raise SystemExit(f"{path} has no place for its timing: {pattern}")
    with all_or_nothing(path) as written:
        written.write_text(new, encoding="utf-8")
