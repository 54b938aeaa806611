"""Does it run where people put it? Tests and notebooks in other places: ``make places``.

Each place is a copy of the checkout, made in a temporary folder, and becomes a row of ``places.csv``. A place that this
system cannot make (another user, no network and a small disk need Linux) is skipped with the reason.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from of_tests.imports import ROOT
from of_tests.mutants import NOT_COPIED
from of_tests.noise import keep, run
from of_tests.tables import FOLDER

RESULTS = FOLDER / "places.csv"
QUICK = ["tests/test_data.py", "tests/test_training.py", "tests/test_from_2019.py"]
QUICK += [f"notebooks/{name}.ipynb" for name in ("00_start_here", "01_data", "04_evaluation", "06_draw_a_digit")]
ALL_IN = ROOT / "tests" / "programs" / "all_in_wheel.py"


def checkout(folder, name="checkout"):
    return Path(shutil.copytree(ROOT, Path(folder, name), ignore=NOT_COPIED))


def in_namespace(kind, first):
    """A prefix that runs ``first``, then the command, in a namespace of its own."""
    return ["unshare", "--map-root-user", kind, "sh", "-c", f'{first} && exec "$@"', "sh"]


def odd_path(folder):
    return {"root": checkout(folder, "mit Leerzeichen, ä und 数字")}


def read_only(folder):
    """Nobody in particular, in a checkout that cannot be written; for root that takes a namespace without its power."""
    root, home = checkout(folder), Path(folder, "home")
    home.mkdir()
    for path in (*root.rglob("*"), root):
        path.chmod(path.stat().st_mode & ~0o222)
    prefix = ["unshare", "--user"] if os.getuid() == 0 else []
    return {"root": root, "prefix": prefix, "environment": {"HOME": str(home)}}


def no_home(folder):
    return {"root": checkout(folder), "environment": {"HOME": None, "USER": None, "LOGNAME": None}}


def no_network(folder):
    return {"root": checkout(folder), "prefix": in_namespace("--net", "ip link set lo up")}


def small_tmp(folder):
    """Notebooks alone: tests of damaged data write copies of MNIST."""
    prefix = in_namespace("--mount", 'mount -t tmpfs -o size=64m tmpfs "$TMPDIR"')
    paths = ["notebooks/01_data.ipynb", "notebooks/06_draw_a_digit.ipynb"]
    return {"root": checkout(folder), "prefix": prefix, "paths": paths}


def another_folder(folder):
    return {"root": checkout(folder), "cwd": "/"}


def wheel(folder):
    """Package installed from a wheel, tests and notebooks beside it in a folder without a package."""
    root, site = checkout(folder), Path(folder, "site")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder, root], check=True)
    (built,) = Path(folder).glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", site, built], check=True)
    shutil.rmtree(root / "lstm_mnist")
    environment = {"PYTHONPATH": str(site)}
    subprocess.run([sys.executable, ALL_IN, site], cwd=folder, env=os.environ | environment, check=True)
    return {"root": root, "environment": environment}


PLACES = {
    "a path with spaces, ä and 数字": odd_path,
    "a read-only checkout, not root": read_only,
    "HOME unset": no_home,
    "no network": no_network,
    "notebooks with 64 MB of temporary files": small_tmp,
    "started from /": another_folder,
    "a wheel, without the checkout": wheel,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--only", default="", help="places whose name holds these words")
    parser.add_argument("--paths", nargs="+", default=QUICK, help="tests and notebooks, by default some of each")
    arguments = parser.parse_args()
    for name, prepare in PLACES.items():
        if arguments.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            place = prepare(folder)
            if (prefix := place.get("prefix")) and (problem := refused(prefix, folder)):
                print(f"{name}: skipped: {problem}")
                continue
            place = {"paths": arguments.paths} | place
            outcomes, _, seconds = run(folder=folder, **place)
        keep(RESULTS, {"place": name}, PLACES, place["paths"], outcomes, seconds)


def refused(prefix, folder):
    """Why ``prefix`` cannot run this Python, empty if it can."""
    command, environment = [*prefix, sys.executable, "-c", "import pytest"], os.environ | {"TMPDIR": folder}
    try:
        tried = subprocess.run(command, capture_output=True, text=True, env=environment)
    except FileNotFoundError as error:
        return str(error)
    return tried.stderr.strip() if tried.returncode else ""


if __name__ == "__main__":
    main()
