"""``python -m lstm_mnist bench``: the same training in several programs, each in its own process, in turn.

This file imports no TensorFlow and no other module of the package: as a script it is also what each peer's process
runs, under that peer's own Python. A process takes orders, one JSON line each, and answers with one.
"""

import datetime
import functools
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

DEFAULT_OUTPUT = Path(__file__).resolve().parents[2] / "notebooks" / "08_bench.json"
MNIST_FILE = Path(__file__).resolve().parents[1] / "mnist.npz"
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
WORK = {"batch": 128, "time_steps": 28, "units": 128}
FEATURES, CLASSES = 28, 10
COUNT = 20  # batches that a process holds ready, and steps of one call where a side can take many

TOGETHER = {"intra": CORES, "inter": CORES, "onednn": 1}  # TensorFlow's default: an operation may use all cores
SIDE_BY_SIDE = {"intra": 1, "inter": CORES, "onednn": 1}  # one core an operation, several operations at once
WITHOUT = {"onednn": 0}
DEFAULTS = (TOGETHER, TOGETHER | WITHOUT)
ANY = (*DEFAULTS, SIDE_BY_SIDE, SIDE_BY_SIDE | WITHOUT)
#: side: (what it is, the settings it chooses its own best from)
SIDES = {
    "2019": ("the 2019 program's graph", ANY),
    "keras": ("keras.layers.LSTM, fit, defaults", DEFAULTS),
    "keras many": ("keras.layers.LSTM, fit, 20 steps a call", ANY),
    "keras unrolled": ("keras.layers.LSTM, fit, unrolled", DEFAULTS),
    "keras jit": ("keras.layers.LSTM, fit, XLA", DEFAULTS),
    "torch": ("PyTorch nn.LSTM", ({"intra": CORES}, {"intra": 1})),
    "plain": ("lstm_mnist, plain", ANY),
    "fast": ("lstm_mnist, fast", ANY),
}
PEERS = ("2019", "keras", "keras many", "keras unrolled", "keras jit", "torch", "2019 recipe")
#: rung: (side, settings), each with what the rungs before it have
LADDER = {
    "the plain layer": ("plain, one step a call", TOGETHER | WITHOUT),
    "oneDNN": ("plain, one step a call", TOGETHER),
    "20 steps a call": ("plain", TOGETHER),
    "two halves side by side": ("two halves", SIDE_BY_SIDE),
    "one tanh for four gates": ("one tanh", SIDE_BY_SIDE),
    "one product for row and state": ("one product", SIDE_BY_SIDE),
    "the backward pass by hand": ("fast", SIDE_BY_SIDE),
    "without oneDNN again": ("fast", SIDE_BY_SIDE | WITHOUT),
}
GROWTH = {
    "batch": (32, 128, 512, 2048),
    "time_steps": (28, 112, 392, 784),
    "units": (32, 128, 512),
}


def products(batch, time_steps, units):
    """Floating-point operations of one step's matrix products: forward, weights' gradient, gradient in ``h``."""
    joint = FEATURES + units
    return 2 * batch * time_steps * 4 * units * (joint + joint + units)


# --- one process: a side at work ---------------------------------------------------------------------------------


def digits(batch, time_steps, count):
    """Images uint8 ``[count * batch, time_steps, 28]`` and labels uint8: MNIST's pixels, in order."""
    with np.load(MNIST_FILE) as archive:
        images, labels = archive["x_train"], archive["y_train"]
    size = count * batch
    if time_steps != 28:
        images = images[: -(-size * time_steps // 28)]
    return np.resize(images, (size, time_steps, FEATURES)), np.resize(labels, size)


def test_digits():
    with np.load(MNIST_FILE) as archive:
        return archive["x_test"]


def scaled(images):
    return images.astype(np.float32) / np.float32(255)


def start_tensorflow(settings):
    """TensorFlow, imported with the side's threads."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(settings["intra"])
    tf.config.threading.set_inter_op_parallelism_threads(settings["inter"])
    return tf


def graph_2019(settings, time_steps, units, seed=0):
    """The 2019 program: placeholders, BasicLSTMCell, static_rnn; one step and the predictions, by ``session.run``."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    tf = start_tensorflow(settings).compat.v1
    tf.disable_eager_execution()
    tf.set_random_seed(seed)
    x, y = tf.placeholder("float", [None, time_steps, FEATURES]), tf.placeholder("float", [None, CLASSES])
    weights, biases = tf.Variable(tf.random_normal([units, CLASSES])), tf.Variable(tf.random_normal([CLASSES]))
    cell = tf.nn.rnn_cell.BasicLSTMCell(units, forget_bias=1.0)
    outputs, _ = tf.nn.static_rnn(cell, tf.unstack(x, time_steps, 1), dtype=tf.float32)
    logits = tf.matmul(outputs[-1], weights) + biases
    prediction = tf.nn.softmax(logits)
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(logits=logits, labels=y))
    update = tf.train.AdamOptimizer().minimize(loss)
    session = tf.Session()
    session.run(tf.global_variables_initializer())

    def step(images, labels):
        session.run(update, {x: images, y: labels})

    def predict(test):
        return np.concatenate([session.run(prediction, {x: part}) for part in np.split(scaled(test), 10)])

    return step, predict


def make_2019(settings, batch, time_steps, units, count):
    step, predict = graph_2019(settings, time_steps, units)
    images, labels = digits(batch, time_steps, count)
    images, labels = scaled(images), np.eye(CLASSES, dtype=np.float32)[labels]

    def train(steps):
        for n in range(steps):
            here = slice(n % count * batch, (n % count + 1) * batch)
            step(images[here], labels[here])

    return train, predict


def make_keras(settings, batch, time_steps, units, count, unroll=False, steps_per_execution=1, jit=False):
    tf = start_tensorflow(settings)
    import keras

    images, labels = digits(batch, time_steps, count)
    images = scaled(images)
    model = keras.Sequential(
        [
            keras.Input((time_steps, FEATURES), batch_size=batch if unroll else None),
            keras.layers.LSTM(units, unroll=unroll),
            keras.layers.Dense(CLASSES),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], steps_per_execution=steps_per_execution, jit_compile=jit)

    class Clock(keras.callbacks.Callback):
        """From the first batch's begin to the last one's end: what ``fit`` does before and after is not counted."""

        def on_train_begin(self, logs=None):
            self.start = None

        def on_train_batch_begin(self, batch, logs=None):
            self.start = self.start or time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            self.seconds = time.perf_counter() - self.start

    clock = Clock()

    def train(steps):
        end = min(steps, count) * batch
        options = {"batch_size": batch, "epochs": -(-steps // count), "shuffle": False, "verbose": 0}
        model.fit(images[:end], labels[:end], callbacks=[clock], **options)
        return clock.seconds

    run = tf.function(lambda part: model(part), jit_compile=jit)
    return train, lambda test: np.concatenate([run(tf.constant(part)) for part in np.split(scaled(test), 10)])


def make_ours(settings, batch, time_steps, units, count, implementation="fast", arithmetic=None, steps_a_call=COUNT):
    """``arithmetic`` takes the place of ``faster.lstm``: a rung of the ladder."""
    tf = start_tensorflow(settings)
    import keras

    from lstm_mnist import LSTMClassifier, faster
    from lstm_mnist.training import make_train_steps

    faster.lstm = arithmetic or faster.lstm

    images, labels = digits(batch, time_steps, count)
    images = tf.constant(images.reshape(count, batch, time_steps, FEATURES))
    labels = tf.constant(labels.reshape(count, batch))
    model = LSTMClassifier(units)
    model.lstm.implementation = implementation
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    steps_of = make_train_steps(model, optimizer, [batch, time_steps, FEATURES])

    def train(steps):
        for start in range(0, steps, steps_a_call):
            size = min(steps_a_call, steps - start)
            steps_of(images[:size], labels[:size]).numpy()

    run = tf.function(lambda part: model(part))
    return train, lambda test: np.concatenate([run(tf.constant(part)) for part in np.split(test, 10)])


def make_torch(settings, batch, time_steps, units, count):
    import torch

    torch.set_num_threads(settings["intra"])
    images, labels = digits(batch, time_steps, count)
    # rows first: the layout that nn.LSTM computes in, so nothing is turned round at each step
    images = torch.from_numpy(scaled(images)).reshape(count, batch, time_steps, FEATURES).transpose(1, 2).contiguous()
    labels = torch.from_numpy(labels.astype(np.int64)).reshape(count, batch)
    recurrent, output = torch.nn.LSTM(FEATURES, units), torch.nn.Linear(units, CLASSES)
    optimizer = torch.optim.Adam([*recurrent.parameters(), *output.parameters()])

    def train(steps):
        for n in range(steps):
            optimizer.zero_grad()
            outputs, _ = recurrent(images[n % count])
            torch.nn.functional.cross_entropy(output(outputs[-1]), labels[n % count]).backward()
            optimizer.step()

    def predict(test):
        with torch.inference_mode():
            parts = torch.from_numpy(scaled(test)).split(1000)
            return torch.cat([output(recurrent(part.transpose(0, 1))[0][-1]) for part in parts]).numpy()

    return train, predict


def two_products(x, kernel, recurrent_kernel, bias, one_tanh=False):
    """The plain layer's rows, with three sigmoids and a tanh or with one tanh for all gates; the last h and c."""
    import tensorflow as tf

    from lstm_mnist import faster

    halve = np.repeat(np.float32([0.5, 0.5, 1, 0.5]), recurrent_kernel.shape[0]) if one_tanh else 1
    projected, recurrent_kernel = tf.tensordot(x, kernel * halve, 1) + bias * halve, recurrent_kernel * halve
    h = c = tf.zeros_like(projected[:, 0, : recurrent_kernel.shape[0]])
    for row in tf.unstack(projected, axis=1):
        gates = row + h @ recurrent_kernel
        if one_tanh:
            i, f, candidate, o = faster._split(tf.tanh(gates))
        else:
            i, f, candidate, o = tf.split(gates, 4, axis=1)
            i, f, candidate, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(candidate), tf.sigmoid(o)
        c = f * c + i * candidate
        h = o * tf.tanh(c)
    return h, c


def one_product(x, kernel, recurrent_kernel, bias):
    """The fast layer's rows, differentiated by TensorFlow; the last h and c."""
    import tensorflow as tf

    from lstm_mnist import faster

    h = c = tf.zeros([x.shape[0], recurrent_kernel.shape[0]])
    every_h, every_c, _ = faster._forward(x, h, c, tf.concat([kernel, recurrent_kernel], axis=0), bias)
    return every_h[-1], every_c[-1]


def in_halves(rows):
    """``rows`` of each half of the batch, as ``faster.lstm`` is called."""

    def lstm(x, state, kernel, recurrent_kernel, bias, return_sequences):
        import tensorflow as tf

        halves = [rows(half, kernel, recurrent_kernel, bias) for half in tf.split(x, 2)]
        return None, *(tf.concat(pieces, axis=0) for pieces in zip(*halves, strict=True))

    return lstm


MAKERS = {
    "2019": make_2019,
    "keras": make_keras,
    "keras many": lambda *work: make_keras(*work, steps_per_execution=COUNT),
    "keras unrolled": lambda *work: make_keras(*work, unroll=True),
    "keras jit": lambda *work: make_keras(*work, jit=True),
    "torch": make_torch,
    "plain": lambda *work: make_ours(*work, implementation="plain"),
    "fast": make_ours,
    "plain, one step a call": lambda *work: make_ours(*work, implementation="plain", steps_a_call=1),
    "two halves": lambda *work: make_ours(*work, arithmetic=in_halves(two_products)),
    "one tanh": lambda *work: make_ours(*work, arithmetic=in_halves(functools.partial(two_products, one_tanh=True))),
    "one product": lambda *work: make_ours(*work, arithmetic=in_halves(one_product)),
}


def learn_2019(settings, seed):
    """The 2019 program's 5,000 steps on shuffled batches; returns its predictions."""
    step, predict = graph_2019(settings, 28, 128, seed)
    with np.load(MNIST_FILE) as archive:
        images, labels = scaled(archive["x_train"][5000:]), np.eye(CLASSES, dtype=np.float32)[archive["y_train"][5000:]]
    rng, order = np.random.default_rng(seed), []
    for _ in range(5000):
        if len(order) < 128:
            order = rng.permutation(len(images))
        here, order = order[:128], order[128:]
        step(images[here], labels[here])
    return predict


def learn_quick(settings, seed):
    start_tensorflow(settings)
    from lstm_mnist import load_mnist
    from lstm_mnist.better.recipes import RECIPES

    model, _ = RECIPES["quick"](seed, load_mnist())
    return lambda test: model.predict(test, batch_size=1000, verbose=0)


#: recipe: (what it is, how it learns, the side whose settings it takes)
QUALITY = {
    "2019 recipe": ("the 2019 program, 5,000 steps", learn_2019, "2019"),
    "quick recipe": ("the quick recipe, 1,100 steps", learn_quick, "fast"),
}


COPIES = ("Concat", "Split", "Pack", "Slice", "Transpose")


def profile(train):
    """Milliseconds of one step that go into products, copies and the rest, of all cores together."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            train(COUNT)
        (file,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    shares = {"matrix products": 0.0, "copies": 0.0, "element by element": 0.0}
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            operation = re.fullmatch(r"[^:]+:(\w+)", plane.event_metadata[event.metadata_id].name)
            if operation and plane.name == "/host:CPU":
                kind = operation[1]
                copies = "copies" if any(copy in kind for copy in COPIES) else "element by element"
                shares["matrix products" if "MatMul" in kind else copies] += event.duration_ps / 1e9 / COUNT
    return {kind: round(milliseconds, 2) for kind, milliseconds in shares.items()}


def measure_peak(settings):
    """A function that times one product of two 1024 x 1024 matrices, in floating-point operations a second."""
    tf = start_tensorflow(settings)
    a = tf.random.normal((1024, 1024))
    product = tf.function(lambda a: tf.matmul(a, a))

    def peak():
        start = time.perf_counter()
        for _ in range(10):
            result = product(a)
        result.numpy()
        return 10 * 2 * 1024**3 / (time.perf_counter() - start)

    peak()
    return peak


def peak_memory():
    """The process's largest resident size so far, in MB (not inherited from its parent, as ``ru_maxrss`` is)."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        return None


def work_as(side, settings, work):
    """The life of one side's process: build, take one step (of a recipe: all), then obey."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer

    def answer(**what):
        print(json.dumps(what), file=answers, flush=True)

    if side == "peak":
        peak = measure_peak(settings)
        answer(ready=True)
        for _ in sys.stdin:
            answer(value=peak())
        return
    if side in QUALITY:
        predict = QUALITY[side][1](settings, work["seed"])
        answer(ready=True)
        sys.stdin.readline()
        with np.load(MNIST_FILE) as archive:
            answer(value=float(np.mean(predict(archive["x_test"]).argmax(axis=1) == archive["y_test"])))
        return
    count = COUNT if work["batch"] * work["time_steps"] <= 8192 else 2
    train, predict = MAKERS[side](settings, work["batch"], work["time_steps"], work["units"], count)
    train(1)
    answer(ready=True)
    test = None
    for line in sys.stdin:
        order = json.loads(line)
        start = time.perf_counter()
        if order["do"] == "profile":
            answer(value=profile(train))
        elif order["do"] == "train":
            seconds = train(order["steps"])
            answer(value=seconds or time.perf_counter() - start, memory=peak_memory())
        else:
            if test is None:
                test = test_digits()
                predict(test)
                start = time.perf_counter()
            predict(test)
            answer(value=time.perf_counter() - start)


# --- the command: start the processes, give them their turns -----------------------------------------------------


class Process:
    """A side in a process of its own; raises ``RuntimeError`` with its last words where it fails."""

    def __init__(self, side, settings, python=sys.executable, **work):
        # the package's own sides import it; the others run this file as a script, and nothing else of the package
        file = ["-P", __file__] if side in PEERS else ["-m", "lstm_mnist.commands.bench"]
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        start = time.perf_counter()
        self.process = subprocess.Popen(
            [python, *file, side, json.dumps(settings), json.dumps(WORK | work)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": str(settings.get("onednn", 1))},  # read when TensorFlow starts
        )
        self._answer()
        self.first_step = time.perf_counter() - start

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            words = self.errors.read().strip().splitlines() or ["no message"]
            raise RuntimeError(words[-1])
        return json.loads(line)

    def order(self, do, steps=0):
        self.process.stdin.write(json.dumps({"do": do, "steps": steps}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def milliseconds(self, steps):
        return 1000 * self.order("train", steps)["value"] / steps

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.errors.close()


def best_settings(side, python):
    """Of a side's settings the one with the fastest step, each tried in a process of its own."""
    choices = SIDES[side][1]
    if len(choices) == 1 or CORES == 1:
        return choices[0]
    times = []
    for settings in choices:
        process = Process(side, settings, python)
        times.append(min(process.milliseconds(COUNT) for _ in range(4)))
        process.close()
    return choices[times.index(min(times))]


def machine():
    """What the times belong to."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        name = next((line.split(":")[1].strip() for line in info.open() if line.startswith("model name")), name)
    return {"processor": name, "cores": CORES, "system": platform.system(), "python": platform.python_version()}


def table(pythons, rounds):
    """Every side's medians and all its rounds, measured in turn."""
    settings, processes, missing, sides = {}, {}, {}, {}
    for side in SIDES:
        try:
            settings[side] = best_settings(side, pythons.get(side, sys.executable))
            processes[side] = Process(side, settings[side], pythons.get(side, sys.executable))
        except RuntimeError as error:
            missing[side] = str(error)
            print(f"{SIDES[side][0]}: missing ({error})")
        else:
            print(f"{SIDES[side][0]}: first step after {processes[side].first_step:.1f} s", flush=True)
    peak = Process("peak", TOGETHER)
    turns = {side: {"train": [], "predict": []} for side in processes}
    peaks, memory = [], {}
    for n in range(rounds + 1):
        peaks.append(peak.order("peak")["value"])
        for side, process in processes.items():
            answer = process.order("train", COUNT)
            memory[side] = answer["memory"]
            if n:  # the first round warms up
                turns[side]["train"].append(1000 * answer["value"] / COUNT)
    for _ in range(rounds):
        for side, process in processes.items():
            turns[side]["predict"].append(process.order("predict")["value"])
    for side, process in processes.items():
        sides[side] = {
            "label": SIDES[side][0],
            "settings": settings[side],
            "first_step_s": round(process.first_step, 2),
            "peak_memory_mb": memory[side] and round(memory[side]),
            "train_ms": [round(value, 2) for value in turns[side]["train"]],
            "predict_s": [round(value, 3) for value in turns[side]["predict"]],
        }
        process.close()
    peak.close()
    return {"peak_gflops": round(statistics.median(peaks) / 1e9, 1), "sides": sides, "missing": missing}


def ladder(rounds):
    """Milliseconds a step of every rung, in turn: ``{rung: [a round's, …]}``."""
    processes = {rung: Process(*made) for rung, made in LADDER.items()}
    times = {rung: [] for rung in LADDER}
    for n in range(rounds + 1):
        for rung, process in processes.items():
            milliseconds = process.milliseconds(COUNT)
            if n:  # the first round warms up
                times[rung].append(round(milliseconds, 2))
    for rung, process in processes.items():
        process.close()
        print(f"{rung:32} {statistics.median(times[rung]):6.1f} ms a step", flush=True)
    return times


def profiled(settings):
    """The ``profile`` of the fast side's step."""
    process = Process("fast", settings["fast"])
    process.milliseconds(COUNT)
    result = process.order("profile")["value"]
    process.close()
    print(result)
    return result


def quality(settings, seeds):
    """Each recipe from the start of its process to the end of its training, in turn; its test accuracy read once."""
    result = {recipe: {"label": label, "seconds": [], "test_accuracy": []} for recipe, (label, *_) in QUALITY.items()}
    for seed in range(seeds):
        for recipe, (label, _, side) in QUALITY.items():
            process = Process(recipe, settings[side], seed=seed)
            result[recipe]["seconds"].append(round(process.first_step, 1))
            result[recipe]["test_accuracy"].append(round(process.order("test")["value"], 4))
            process.close()
            print(f"{label}, seed {seed}: {process.first_step:.1f} s", flush=True)
    return result


def show(result):
    """The table, each time with its ratio to the fast side's."""
    sides, peak = result["sides"], result["peak_gflops"]
    fast = sides["fast"]
    print(f"\n{result['machine']['processor']}, {result['machine']['cores']} cores, {result['date']}")
    print(f"matrix products of 1024 x 1024: {peak:.0f} GFLOP/s\n")
    print(f"{'':42}{'ms/step':>8}{'fast/it':>8}{'images/s':>9}{'of peak':>8}{'MB':>6}{'first s':>8}{'test s':>7}")
    for side in sides.values():
        ms, seconds = statistics.median(side["train_ms"]), statistics.median(side["predict_s"])
        ratio = statistics.median(fast["train_ms"]) / ms
        share = products(**WORK) / ms / 1e6 / peak
        print(
            f"{side['label']:42}{ms:8.1f}{ratio:8.2f}{1000 * WORK['batch'] / ms:9.0f}{share:8.0%}"
            f"{side['peak_memory_mb'] or 0:6.0f}{side['first_step_s']:8.1f}{seconds:7.2f}"
        )
    for side, reason in result["missing"].items():
        print(f"{SIDES[side][0]:42} missing: {reason}")


def growth(pythons, settings):
    """Time of a step and peak memory as batch, time steps and units grow; a process for every point."""
    result = {}
    for axis, values in GROWTH.items():
        for side in ("keras many", "torch", "fast"):
            if side not in settings:
                continue
            for value in values:
                try:
                    process = Process(side, settings[side], pythons.get(side, sys.executable), **{axis: value})
                    times = [process.milliseconds(2) for _ in range(4)]
                    memory = process.order("train", 2)["memory"]
                    first = process.first_step
                    process.close()
                except RuntimeError as error:
                    print(f"{axis} {value}, {side}: failed ({error})")
                    continue
                point = {
                    "train_ms": round(statistics.median(times[1:]), 2),
                    "peak_memory_mb": memory and round(memory),
                    "first_step_s": round(first, 2),
                }
                result.setdefault(axis, {}).setdefault(side, {})[str(value)] = point
                print(f"{axis} {value}, {side}: {point}", flush=True)
    return result


def add_arguments(parser):
    parser.add_argument("--rounds", type=int, default=9, help="turns of each side (default 9)")
    parser.add_argument("--torch-python", default=sys.executable, metavar="PATH", help="a Python that has PyTorch")
    parser.add_argument("--quality", type=int, default=0, metavar="SEEDS", help="also time whole trainings")
    parser.add_argument("--growth", action="store_true", help="also measure growth (some minutes more)")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="where the results go, as JSON")


def bench(arguments):
    """Measure, print the table, and keep the numbers in ``arguments.output``, each part as soon as it is there."""
    pythons = {"torch": arguments.torch_python}
    result = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    result |= {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "work": WORK,
        "rounds": arguments.rounds,
        **table(pythons, arguments.rounds),
    }
    show(result)
    _keep(result, arguments.output)
    settings = {side: row["settings"] for side, row in result["sides"].items()}
    parts = {"ladder": lambda: ladder(arguments.rounds), "profile": lambda: profiled(settings)}
    if arguments.quality:
        parts["quality"] = lambda: quality(settings, arguments.quality)
    if arguments.growth:
        parts["growth"] = lambda: growth(pythons, settings)
    for name, measure in parts.items():
        result[name] = measure()
        _keep(result, arguments.output)


def _keep(result, path):
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(result, indent=1) + "\n")
    os.replace(temporary, path)
    print(f"written: {path.name}\n", flush=True)


if __name__ == "__main__":
    work_as(sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3]))
