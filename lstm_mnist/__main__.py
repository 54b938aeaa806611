"""The commands behind the Makefile: ``python -m lstm_mnist --help`` lists them."""

import argparse
import csv
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from . import (
    DataError,
    LSTMClassifier,
    bench,
    load_idx,
    load_mnist,
    load_pretrained,
    save_pretrained,
    scaling,
    train,
)
from .bigger import WorkerError
from .evaluation import LEDGER, predict_probabilities, read_table, write_table
from .export import predict_folder
from .inside import make_figures
from .lstm import WEIGHTS_FOLDER
from .recipes import KEPT, RECIPES
from .search import search
from .workers import run_workers

ROOT = Path(__file__).parents[1]
SEEDS = range(5)


def weights(name, seeds, data=None, together=False):
    """Train a recipe once a seed: each run becomes a row of the ledger, the first seed's weights are kept.

    ``data`` is the folder of another data set in MNIST's four files; its name comes first in the ledger. ``together``
    adds a row for all seeds' networks as one, whose answer is the mean of their probabilities.
    """
    splits = load_idx(data) if data else load_mnist()
    option = f" --data {data}" if data else ""
    ledger_name = f"{Path(data).name}/{name}" if data else name
    runs = []
    for seed in seeds:
        start = time.perf_counter()
        model, settings = RECIPES[name](seed, splits)
        answers = [predict_probabilities(model, split.images) for split in (splits.validation, splits.test)]
        seconds = time.perf_counter() - start
        runs.append((answers, model.count_params(), seconds))
        command = f"python -m lstm_mnist weights {name} --seeds {seed}{option}"
        row = _row(ledger_name, seed, splits, *runs[-1], command)
        _write_ledger(row)
        if seed == SEEDS[0] and name in KEPT and not data:
            kept = {key: row[key] for key in ("command", "seed", "versions", "validation_accuracy")}
            save_pretrained(model, WEIGHTS_FOLDER / f"{name}.npz", kept | settings)
    if together:
        answers, parameters, seconds = zip(*runs, strict=True)
        means = [np.mean(split, axis=0) for split in zip(*answers, strict=True)]
        command = f"python -m lstm_mnist weights {name} --seeds {' '.join(map(str, seeds))} --together{option}"
        name = f"{len(seeds)} x {ledger_name}"
        _write_ledger(_row(name, seeds[0], splits, means, sum(parameters), sum(seconds), command))


def _row(name, seed, splits, answers, parameters, seconds, command):
    """A row of the ledger, from the probabilities for the validation and the test images."""
    right = [
        float(np.mean(probabilities.argmax(axis=1) == split.labels))
        for probabilities, split in zip(answers, (splits.validation, splits.test), strict=True)
    ]
    row = {
        "name": name,
        "seed": seed,
        "parameters": parameters,
        "validation_accuracy": right[0],
        "test_accuracy": right[1],
        "seconds": round(seconds),
        "versions": f"TensorFlow {tf.__version__}, Keras {keras.__version__}, Python {platform.python_version()}",
        "command": command,
    }
    print(row, flush=True)
    return row


def _write_ledger(row):
    """Put the row in the ledger, in place of an older one of the same name and seed."""
    rows = read_table(LEDGER) if LEDGER.exists() else []
    row = {key: str(value) for key, value in row.items()}
    rows = [old for old in rows if (old["name"], old["seed"]) != (row["name"], row["seed"])] + [row]
    rows.sort(key=lambda old: (old["name"], int(old["seed"])))
    write_table(LEDGER, rows)


def timings():
    """Run each notebook in its own process; write its minutes and peak memory into README and its own head."""
    rows = []
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        seconds, gigabytes = _run_notebook(path)
        measured = f"{seconds / 60:.1f} minutes and {gigabytes:.1f} GB of memory"
        _substitute(path, r"\*Measured: about .*? on 2 CPU cores", f"*Measured: about {measured} on 2 CPU cores")
        rows.append(f"| [{path.stem}](notebooks/{path.name}) | {seconds / 60:.1f} | {gigabytes:.2f} |")
        print(path.stem, measured, flush=True)
    table = "\n".join(["| notebook | minutes | peak memory, GB |", "| --- | ---: | ---: |", *rows])
    _substitute(
        ROOT / "README.md", r"<!-- timings -->.*<!-- /timings -->", f"<!-- timings -->\n{table}\n<!-- /timings -->"
    )


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
    temporary = path.with_suffix(".tmp")
    temporary.write_text(new, encoding="utf-8")
    os.replace(temporary, path)


def workers(count, steps, seed=0):
    """Train on worker processes and in this one: print each worker's share, check that the results are the same."""
    batch_size = max(count, 128 // max(count, 1) * count)
    try:
        run = run_workers(count, steps=steps, batch_size=batch_size, seed=seed)
    except (ValueError, WorkerError) as error:
        raise SystemExit(str(error)) from error
    for n, share in enumerate(run.shares):
        (first, end), seconds = share["images"], share["seconds"]
        share = f"images {first} to {end - 1} of each of {steps} batches of {batch_size}"
        print(f"worker {n}: {share}, {seconds:.1f} s", flush=True)
    keras.utils.set_random_seed(seed)
    model = LSTMClassifier()
    history = train(model, load_mnist().train, steps, batch_size, seed, print_every=0)
    np.testing.assert_allclose(run.history, np.stack(history), atol=1e-4)
    for theirs, ours in zip(run.weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-4)
    print("losses, accuracies, gradient norms and final weights equal those of one process within 1e-4")


def predict(folder, name):
    """A line of CSV for each picture of ``folder``; what cannot be read is named on the error output."""
    try:
        rows = predict_folder(load_pretrained(name), folder)
    except DataError as error:
        raise SystemExit(str(error)) from error
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["file", "digit", "probability"])
    for file, digit, probability in rows:
        if digit is None:
            print(f"{file}: {probability}", file=sys.stderr)
        else:
            table.writerow([file, digit, f"{probability:.3f}"])
    if None in [row[1] for row in rows]:
        raise SystemExit(1)


def main():
    parser = argparse.ArgumentParser(prog="python -m lstm_mnist", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("weights", help="train a recipe and keep its weights and ledger rows")
    command.add_argument("name", choices=RECIPES)
    command.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    command.add_argument("--data", help="folder of another data set in MNIST's four IDX files")
    command.add_argument("--together", action="store_true", help="also a row for all seeds' networks as one")
    commands.add_parser("search", help="search the settings of the recipe `best` on the validation split")
    commands.add_parser("timings", help="measure each notebook's minutes and memory")
    command = commands.add_parser("figures", help="remake the README's pictures")
    command.add_argument("--folder", default="figures")
    bench.add_arguments(commands.add_parser("bench", help="time the same training here and in its peers"))
    command = commands.add_parser("workers", help="train on several worker processes, compare with one")
    command.add_argument("--count", type=int, default=2)
    command.add_argument("--steps", type=int, default=200)
    command.add_argument(
        "--measure", action="store_true", help="time arrangements instead, for notebook 10 (3 minutes)"
    )
    command = commands.add_parser("predict", help="read a folder of pictures of one digit each")
    command.add_argument("folder")
    command.add_argument("--weights", default="best", help="name of the shipped weights")
    arguments = parser.parse_args()
    if arguments.command == "timings":
        timings()
    elif arguments.command == "weights":
        weights(arguments.name, arguments.seeds, arguments.data, arguments.together)
    elif arguments.command == "search":
        search()
    elif arguments.command == "figures":
        for path in make_figures(arguments.folder):
            print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    elif arguments.command == "predict":
        predict(arguments.folder, arguments.weights)
    elif arguments.command == "workers":
        scaling.measure() if arguments.measure else workers(arguments.count, arguments.steps)
    else:
        bench.bench(arguments)


if __name__ == "__main__":
    main()
