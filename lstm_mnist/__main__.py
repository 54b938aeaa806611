"""The commands behind the Makefile: ``python -m lstm_mnist --help`` lists them."""

import argparse
import csv
import os
import platform
import time

import keras
import numpy as np
import tensorflow as tf

from . import LSTMClassifier, bench, load_mnist, save_pretrained, train
from .evaluation import LEDGER
from .lstm import WEIGHTS_FOLDER

SEEDS = range(5)


def train_2019(seed, mnist):
    """The 2019 program's network and recipe, as it was: nothing chosen here."""
    keras.utils.set_random_seed(seed)
    model = LSTMClassifier(init="2019")
    train(model, mnist.train, steps=5000, batch_size=128, seed=seed)
    return model, {"steps": 5000, "batch_size": 128, "optimizer": "Adam, learning rate 0.001"}


def train_quick(seed, mnist):
    """As good as 2019 in a fifth of the steps: the learning rate rises to 0.005, then falls to 0.

    Steps, learning rate and batch were chosen on the validation split with seed 0.
    """
    keras.utils.set_random_seed(seed)
    model = LSTMClassifier()
    steps, peak = 1000, 0.005
    schedule = keras.optimizers.schedules.CosineDecay(
        peak / 25, decay_steps=steps - steps // 4, alpha=0.0, warmup_target=peak, warmup_steps=steps // 4
    )
    optimizer = keras.optimizers.Adam(schedule, global_clipnorm=1.0)
    train(model, mnist.train, steps=steps, batch_size=128, seed=seed, optimizer=optimizer)
    rate = "learning rate up to 0.005 in 250 steps, down to 0 on a cosine"
    return model, {"steps": steps, "batch_size": 128, "optimizer": f"Adam, {rate}, gradient norm at most 1"}


RECIPES = {"2019": train_2019, "quick": train_quick}


def weights(name, seeds):
    """Train a recipe once a seed: each run becomes a row of the ledger, the first seed's weights are kept."""
    mnist = load_mnist()
    for seed in seeds:
        start = time.perf_counter()
        model, settings = RECIPES[name](seed, mnist)
        row = {
            "name": name,
            "seed": seed,
            "validation_accuracy": _accuracy(model, mnist.validation),
            "test_accuracy": _accuracy(model, mnist.test),
            "seconds": round(time.perf_counter() - start),
            "versions": f"TensorFlow {tf.__version__}, Keras {keras.__version__}, Python {platform.python_version()}",
            "command": f"python -m lstm_mnist weights {name} --seeds {seed}",
        }
        print(row)
        _write_ledger(row)
        if seed == SEEDS[0]:
            kept = {key: row[key] for key in ("command", "seed", "versions", "validation_accuracy")}
            save_pretrained(model, WEIGHTS_FOLDER / f"{name}.npz", kept | settings)


def _accuracy(model, split):
    logits = model.predict(split.images, batch_size=1000, verbose=0)
    return float(np.mean(logits.argmax(axis=1) == split.labels))


def _write_ledger(row):
    """Put the row in the ledger, in place of an older one of the same name and seed."""
    rows = []
    if LEDGER.exists():
        with open(LEDGER, newline="") as file:
            rows = list(csv.DictReader(file))
    row = {key: str(value) for key, value in row.items()}
    rows = [old for old in rows if (old["name"], old["seed"]) != (row["name"], row["seed"])] + [row]
    rows.sort(key=lambda old: (old["name"], int(old["seed"])))
    temporary = LEDGER.with_suffix(".tmp")
    with open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, row, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, LEDGER)


def main():
    parser = argparse.ArgumentParser(prog="python -m lstm_mnist", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("weights", help="train a recipe and keep its weights and ledger rows")
    command.add_argument("name", choices=RECIPES)
    command.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    bench.add_arguments(commands.add_parser("bench", help="time the same training here and in its peers"))
    arguments = parser.parse_args()
    if arguments.command == "weights":
        weights(arguments.name, arguments.seeds)
    else:
        bench.bench(arguments)


if __name__ == "__main__":
    main()
