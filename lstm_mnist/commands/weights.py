"""``python -m lstm_mnist weights``: train a recipe once a seed, keep its rows of the ledger and its weights."""

import platform
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from .. import load_idx, load_mnist, save_pretrained
from ..better.ledger import read_table, write_table
from ..better.recipes import KEPT, RECIPES
from ..checks import check_seed
from ..evaluation import predict_probabilities

SEEDS = range(5)


def weights(name, seeds, data=None, together=False, ledger=None):
    """Train a recipe once a seed and print a row for each.

    The table ``ledger``, where it is given, keeps the rows, and its folder the weights of seed 0.

    ``data`` is the folder of another data set in MNIST's four files; its name comes first in the ledger. ``together``
    adds a row for all seeds' networks as one, whose answer is the mean of their probabilities.
    """
    splits = load_idx(data) if data else load_mnist()
    option = f" --data {data}" if data else ""
    ledger_name = f"{Path(data).name}/{name}" if data else name
    runs = []
    for seed in [check_seed(seed) for seed in seeds]:
        start = time.perf_counter()
        model = RECIPES[name].train(seed, splits)
        answers = [predict_probabilities(model, split.images) for split in (splits.validation, splits.test)]
        seconds = time.perf_counter() - start
        runs.append((answers, model.count_params(), seconds))
        command = f"python -m lstm_mnist weights {name} --seeds {seed}{option}"
        row = _row(ledger_name, seed, splits, *runs[-1], command)
        _write_row(ledger, row)
        if ledger and seed == SEEDS[0] and name in KEPT and not data:
            kept = {key: row[key] for key in ("command", "seed", "versions", "validation_accuracy")}
            save_pretrained(model, ledger.with_name(f"{name}.npz"), kept | RECIPES[name].settings())
    if together:
        answers, parameters, seconds = zip(*runs, strict=True)
        means = [np.mean(split, axis=0) for split in zip(*answers, strict=True)]
        command = f"python -m lstm_mnist weights {name} --seeds {' '.join(map(str, seeds))} --together{option}"
        name = f"{len(seeds)} x {ledger_name}"
        _write_row(ledger, _row(name, seeds[0], splits, means, sum(parameters), sum(seconds), command))


def _row(name, seed, splits, answers, parameters, seconds, command):
    """A row of the ledger, from the probabilities for the validation and the test images."""
    of_labels = np.take_along_axis(answers[0], splits.validation.labels[:, None].astype(int), axis=1)
    right = [
        float(np.mean(probabilities.argmax(axis=1) == split.labels))
        for probabilities, split in zip(answers, (splits.validation, splits.test), strict=True)
    ]
    row = {
        "name": name,
        "seed": seed,
        "parameters": parameters,
        "validation_loss": round(float(-np.log(of_labels.astype(np.float64)).mean()), 5),
        "validation_accuracy": right[0],
        "test_accuracy": right[1],
        "seconds": round(seconds),
        "versions": f"TensorFlow {tf.__version__}, Keras {keras.__version__}, Python {platform.python_version()}",
        "command": command,
    }
    print(row, flush=True)
    return row


def _write_row(ledger, row):
    """Put the row in the ledger, in place of an older one of the same name and seed."""
    if ledger is None:
        return
    kept = read_table(ledger) if ledger.exists() else []
    rows = {(old["name"], old["seed"]): old for old in kept}
    rows[row["name"], row["seed"]] = row
    write_table(ledger, [rows[key] for key in sorted(rows)])
