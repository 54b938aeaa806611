"""``python -m lstm_mnist search``: the settings of `best`, found on the validation split alone.

Successive halving (Jamieson and Talwalkar 2016): many settings, drawn at random, for few steps, the better half of them
for twice as many, and so on. The test images are not looked at.
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed

import numpy as np
import tensorflow as tf

from ..better.ledger import write_table
from ..better.recipes import recipe_of
from ..data import load_mnist
from ..training import loss_and_accuracy

ROUNDS = ((16, 1500), (8, 3000), (4, 6000))  # settings, steps
SEED = 0


def draw(count, seed=SEED):
    """``count`` settings of a ``recipes.Recipe``, each drawn by itself from a range set before any was tried."""
    random = np.random.default_rng(seed)
    widest = {"degrees": 20, "scale": 0.2, "shear": 0.3, "shift": 3, "bend": 1.2}
    settings = []
    for _ in range(count):
        one = {"peak": round(10 ** random.uniform(-3, -2), 4), "beta_2": float(random.choice([0.99, 0.999]))}
        one |= {"average": bool(random.integers(2)), "fade": float(random.choice([0, 0.15, 0.3, 0.45]))}
        settings.append(one | {name: float(f"{random.uniform(0, most):.2g}") for name, most in widest.items()})
    return settings


def search(path=None, rounds=ROUNDS):
    """Play the rounds, one setting a core, and print every run.

    The table ``path``, where it is given, keeps them: the best is its last row, as in ``recipes.SEARCHED``.
    """
    settings = dict(enumerate(draw(rounds[0][0])))
    rows = []
    context = multiprocessing.get_context("spawn")  # a TensorFlow that has started cannot be forked
    with ProcessPoolExecutor(os.cpu_count(), context, _one_thread) as pool:
        for count, steps in rounds:
            runs = {pool.submit(try_out, settings[n], steps): n for n in list(settings)[:count]}
            tried = []
            for run in as_completed(runs):
                tried.append({"number": runs[run], "steps": steps} | settings[runs[run]] | run.result())
                print(tried[-1], flush=True)
            tried.sort(key=lambda row: np.nan_to_num(row["validation_loss"], nan=np.inf))
            settings = {row["number"]: settings[row["number"]] for row in tried}
            rows += reversed(tried)
    if path:
        write_table(path, rows)


def _one_thread():
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def try_out(settings, steps):
    """Loss and accuracy on the validation split after so many steps."""
    mnist = load_mnist()
    model = recipe_of(settings, steps).train(SEED, mnist)
    logits = model.predict(mnist.validation.images, batch_size=1000, verbose=0)
    loss, accuracy = loss_and_accuracy(mnist.validation.labels, logits)
    return {"validation_loss": round(float(loss), 5), "validation_accuracy": round(float(accuracy), 4)}
