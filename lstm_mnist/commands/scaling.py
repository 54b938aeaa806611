"""``python -m lstm_mnist workers --measure``: what sharing out a training step costs, and what a stream needs.

Each arrangement lives in processes of its own that take orders, one JSON line each, and answer with one; they are asked
in turn, round after round, so that a slow minute of the machine is slow for all.
"""

import contextlib
import datetime
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import keras
import tensorflow as tf

from .. import LSTMClassifier, load_mnist, train
from ..better.distortions import distort, on_changed
from ..bigger import cluster, sharing
from ..bigger.shards import write_shards
from ..bigger.workers import cluster_configs
from ..processes import Child, peak_memory
from ..training import compute_gradients, make_train_steps
from .bench import CORES, in_turn, keep, machine
from .peers import answers

ROUNDS = 7
IMAGES = 2560  # read in one turn, whatever the batch
SUMS = 50  # of one turn
#: arrangement: (what it is, its kind, the cores of its processes, its batches)
SIDES = {
    "one core": ("one process on one core", "plain", [[0]], (64, 128, 256, 512)),
    "both cores": ("one process on both cores", "plain", [None], (128, 512)),
    "one worker": ("one worker on one core", "workers", [[0]], (128, 512)),
    "devices": ("one process, two logical devices", "devices", [None], (128, 512)),
    "workers": ("two workers, a core each", "workers", [[0], [1]], (128, 512)),
}
STREAMS = (60_000, 600_000)


# --- one process ---------------------------------------------------------------------------------------------------


def work(kind, cores):
    """Make a strategy of that kind, then obey: an order is the size of a batch, or 0 for adding up messages.

    The answer is the milliseconds of a step or of a sum.
    """
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)  # TensorFlow starts as many threads as it may use cores
    orders, answer = answers()
    strategy = strategy_of(kind)
    compute = compute_gradients if kind == "plain" else sharing.share_out(strategy)
    keras.utils.set_random_seed(0)
    ready = {}
    try:
        for batch in orders:
            if batch not in ready:
                ready[batch] = prepare_steps(strategy, compute, batch) if batch else prepare_sums(strategy)
            count = IMAGES // batch if batch else SUMS
            begin = time.perf_counter()
            ready[batch]()
            answer(1000 * (time.perf_counter() - begin) / count)
    finally:
        os._exit(0)  # TensorFlow would wait for the other worker


def strategy_of(kind):
    if kind == "devices":
        return tf.distribute.MirroredStrategy(sharing.logical_cpus(2))
    if kind == "workers":
        return cluster.worker_strategy()
    return tf.distribute.get_strategy()


def prepare_steps(strategy, compute, batch):
    """A function that trains once on the first images."""
    with strategy.scope():
        model, optimizer = LSTMClassifier(), keras.optimizers.Adam()
        optimizer.build(model.trainable_variables)
    split, count = load_mnist().train, IMAGES // batch
    images = tf.constant(split.images[:IMAGES].reshape(count, batch, 28, 28))
    labels = tf.constant(split.labels[:IMAGES].reshape(count, batch))
    train_steps = make_train_steps(model, optimizer, (batch, 28, 28), compute)
    return lambda: train_steps(images, labels).numpy()


def prepare_sums(strategy):
    """A function that adds up messages of the size of a gradient, one after the other."""
    floats = sharing.message_bytes(LSTMClassifier()) // 4

    @tf.function
    def add_up():
        total = 0.0
        for _ in tf.range(SUMS):
            message = strategy.run(lambda: tf.fill([floats], 1.0))
            total += strategy.reduce(tf.distribute.ReduceOp.SUM, message, axis=None)[0]
        return total

    return lambda: add_up().numpy()


def stream(digits):
    """Write so many digits, train on all of them once, distorted; answer with what it took."""
    _, answer = answers()
    split = load_mnist().train
    pieces = (slice(start % 50_000, start % 50_000 + 5000) for start in range(0, digits, 5000))
    bent = on_changed(lambda images, n: distort(images, [0, n]))
    with tempfile.TemporaryDirectory() as folder:
        shards = write_shards(Path(folder) / "digits", ((split.images[piece], split.labels[piece]) for piece in pieces))
        train(LSTMClassifier(32), shards, digits // 100, 100, compute=bent, watchers=())
    megabytes = sum(file["bytes"] for file in shards.files.values()) / 1e6
    answer({"digits": len(shards), "file_mb": round(megabytes, 1), "peak_memory_mb": peak_memory()})


# --- the command ---------------------------------------------------------------------------------------------------


def child_that(call, environment=()):
    """A process that calls a function of this module."""
    return Child([sys.executable, "-c", f"from lstm_mnist.commands import scaling; scaling.{call}"], environment)


def start(kind, cores):
    """The processes of one arrangement."""
    environments = [{} for _ in cores]
    if kind == "workers":
        environments = [{"TF_CONFIG": config} for config in cluster_configs(len(cores))]
    calls = [f"work({kind!r}, {own})" for own in cores]
    return [child_that(call, environment) for call, environment in zip(calls, environments, strict=True)]


def milliseconds(children, batch):
    """Time of a step, that of the slowest process; for batch 0, of adding up one message."""
    for child in children:
        child.tell(batch)
    return max(child.answer() for child in children)


def measure_steps(rounds=ROUNDS):
    """Milliseconds of a step, ``{side: {batch: [a number a round]}}``, and of adding up one message of two workers."""
    with contextlib.ExitStack() as stack:
        sides = {
            side: [stack.enter_context(child) for child in start(kind, cores)]
            for side, (_, kind, cores, _) in SIDES.items()
        }
        tasks = {(side, batch): sides[side] for side, (*_, batches) in SIDES.items() for batch in batches}
        tasks["workers", 0] = sides["workers"]
        measured = in_turn(tasks, lambda task, children: milliseconds(children, task[1]), rounds)
    sums = measured.pop(("workers", 0))
    times = {side: {} for side in SIDES}
    for (side, batch), values in measured.items():
        times[side][str(batch)] = values
    return times, sums


def measure_streams():
    results = []
    for digits in STREAMS:
        with child_that(f"stream({digits})") as child:
            results.append(child.answer())
        print(results[-1], flush=True)
    return results


def measure(output=None):
    """Measure, print, and keep the numbers in the file ``output``. Needs two cores."""
    if CORES < 2:
        raise SystemExit("this needs two cores")
    steps, sums = measure_steps()
    for side, batches in steps.items():
        for batch, values in batches.items():
            print(f"{SIDES[side][0]:34} batch {batch:>4}: {statistics.median(values):7.2f} ms a step")
    print(f"adding up one message: {statistics.median(sums):.2f} ms", flush=True)
    result = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "rounds": ROUNDS,
        "message_bytes": sharing.message_bytes(LSTMClassifier()),
        "labels": {side: label for side, (label, *_) in SIDES.items()},
        "step_ms": steps,
        "sum_ms": sums,
        "streams": measure_streams(),
    }
    keep(result, output)
