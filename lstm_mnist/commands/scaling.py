"""``python -m lstm_mnist workers --measure``: what sharing out a training step costs, and what a stream needs.

Each arrangement lives in processes of its own that take orders, one JSON line each, and answer with one; they are asked
in turn, round after round, so that a slow minute of the machine is slow for all.
"""

import contextlib
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ..bigger.workers import cluster_configs
from ..files import all_or_nothing
from ..processes import Child, peak_memory
from .bench import CORES, in_turn, machine
from .peers import answers

DEFAULT_OUTPUT = Path(__file__).resolve().parents[2] / "notebooks" / "10_scaling.json"
ROUNDS = 7
IMAGES = 2560  # read in one turn, whatever the batch
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
    """Make a strategy of that kind, then obey: train so many images in batches, or add up so many messages."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)  # TensorFlow starts as many threads as it may use cores
    orders, answer = answers()
    import keras
    import tensorflow as tf

    from .. import LSTMClassifier, load_mnist
    from ..bigger import cluster, sharing
    from ..training import compute_gradients, make_train_steps

    strategy = None
    if kind == "devices":
        strategy = tf.distribute.MirroredStrategy(sharing.logical_cpus(2))
    elif kind == "workers":
        strategy = cluster.worker_strategy()
    keras.utils.set_random_seed(0)
    split, ready = load_mnist().train, {}

    def prepare(batch):
        with strategy.scope() if strategy else contextlib.nullcontext():
            model, optimizer = LSTMClassifier(), keras.optimizers.Adam()
            optimizer.build(model.trainable_variables)
        count = IMAGES // batch
        images = tf.constant(split.images[:IMAGES].reshape(count, batch, 28, 28))
        labels = tf.constant(split.labels[:IMAGES].reshape(count, batch))
        compute = sharing.share_out(strategy) if strategy else compute_gradients
        train_steps = make_train_steps(model, optimizer, (batch, 28, 28), compute)
        return lambda: train_steps(images, labels).numpy()

    def prepare_sum():
        floats = sharing.message_bytes(LSTMClassifier()) // 4

        @tf.function
        def add_up():
            total = 0.0
            for _ in tf.range(50):
                message = strategy.run(lambda: tf.fill([floats], 1.0))
                total += strategy.reduce(tf.distribute.ReduceOp.SUM, message, axis=None)[0]
            return total

        return lambda: add_up().numpy()

    try:
        for batch in orders:
            if batch not in ready:
                ready[batch] = prepare(batch) if batch else prepare_sum()
                ready[batch]()
            start = time.perf_counter()
            ready[batch]()
            milliseconds = 1000 * (time.perf_counter() - start) / (IMAGES // batch if batch else 50)
            answer(milliseconds)
    finally:
        os._exit(0)  # TensorFlow would wait for the other worker


def stream(digits, folder):
    """Write so many digits, train on all of them once, distorted; print what it took."""
    from .. import LSTMClassifier, load_mnist, train
    from ..better.distortions import distort, on_changed
    from ..bigger.shards import write_shards

    split = load_mnist().train
    pieces = (slice(start % 50_000, start % 50_000 + 5000) for start in range(0, digits, 5000))
    shards = write_shards(Path(folder) / "digits", ((split.images[piece], split.labels[piece]) for piece in pieces))
    bent = on_changed(lambda images, n: distort(images, [0, n]))
    train(LSTMClassifier(32), shards, digits // 100, 100, compute=bent, watchers=())
    megabytes = sum(file["bytes"] for file in shards.files.values()) / 1e6
    print(json.dumps({"digits": len(shards), "file_mb": megabytes, "peak_memory_mb": peak_memory()}))


# --- the command ---------------------------------------------------------------------------------------------------


class Side:
    """The processes of one arrangement, a context."""

    def __init__(self, kind, cores):
        self.stack = contextlib.ExitStack()
        self.children = []
        for own, config in zip(cores, cluster_configs(len(cores)), strict=True):
            command = [sys.executable, "-c", f"from lstm_mnist.commands import scaling; scaling.work({kind!r}, {own})"]
            child = Child(command, {"TF_CONFIG": config} if kind == "workers" else {})
            self.children.append(self.stack.enter_context(child))

    def milliseconds(self, batch):
        """Time of a step, that of the slowest process; for batch 0, of adding up one message."""
        for child in self.children:
            child.tell(batch)
        return max(child.answer() for child in self.children)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()


def measure_steps(rounds=ROUNDS):
    """Milliseconds of a step, ``{side: {batch: [a number a round]}}``, and of adding up one message of two workers."""
    with contextlib.ExitStack() as stack:
        sides = {side: stack.enter_context(Side(kind, cores)) for side, (_, kind, cores, _) in SIDES.items()}
        tasks = {(side, batch): sides[side] for side, (*_, batches) in SIDES.items() for batch in batches}
        tasks["workers", 0] = sides["workers"]
        measured = in_turn(tasks, lambda task, side: side.milliseconds(task[1]), rounds)
    sums = [round(value, 3) for value in measured.pop(("workers", 0))]
    times = {side: {} for side in SIDES}
    for (side, batch), values in measured.items():
        times[side][str(batch)] = [round(value, 3) for value in values]
    return times, sums


def measure_streams():
    results = []
    for digits in STREAMS:
        with tempfile.TemporaryDirectory() as folder:
            command = f"from lstm_mnist.commands import scaling; scaling.stream({digits}, {folder!r})"
            child = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
        results.append({key: round(value, 1) for key, value in json.loads(child.stdout.splitlines()[-1]).items()})
    return results


def measure(output=None):
    """Measure, print, and keep the numbers in the file ``output``. Needs two cores."""
    from .. import LSTMClassifier
    from ..bigger import sharing

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
    for row in result["streams"]:
        print(row)
    if output:
        with all_or_nothing(output) as path:
            path.write_text(json.dumps(result, indent=1) + "\n")
        print(f"written: {output}")
