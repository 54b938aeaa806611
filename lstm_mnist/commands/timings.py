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
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        seconds, gigabytes = _run_notebook(path)
        minutes = f"{seconds / 60:.1f}"
        print(f"{path.stem}: {minutes} minutes, {gigabytes:.2f} GB", flush=True)
        if keep:
            measured = f"*Measured: about {minutes} minutes and {gigabytes:.1f} GB of memory on 2 CPU cores"
            _substitute(path, r"()\*Measured: about [^*]*? on 2 CPU cores", measured)
            row = rf"(\(notebooks/{re.escape(path.name)}\) \|[^|\n]*\|)[^|\n]*\|[^|\n]*\|"
            _substitute(ROOT / "README.md", row, f" {minutes} | {gigabytes:.2f} |")
    if not keep:
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
    """Put ``text`` in place of what ``pattern`` finds after its first group."""
    old = path.read_text(encoding="utf-8")
    new, found = re.subn(pattern, lambda match: match[1] + text, old)
    if not found:
        raise SystemExit(f"{path} has no place for its timing: {pattern}")
    with all_or_nothing(path) as written:
        written.write_text(new, encoding="utf-8")
