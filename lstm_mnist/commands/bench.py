"""``python -m lstm_mnist bench``: the same training in several programs, each in its own process, in turn.

Run as a module it is also what a process of this package's own programs does; the peers' is ``peers``.
"""

import contextlib
import datetime
import json
import os
import platform
import re
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from .. import LSTM, LSTMClassifier, load_mnist
from ..better import networks
from ..better.recipes import RECIPES
from ..files import all_or_nothing
from ..lstm import plain_lstm
from ..processes import Child, ChildError, peak_memory
from ..training import make_train_steps
from . import peers
from .peers import CLASSES, COUNT, FEATURES, WORK

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

AS_IT_COMES = {}
TOGETHER = {"intra": CORES, "inter": CORES, "onednn": 1}  # an operation may use all cores
SIDE_BY_SIDE = {"intra": 1, "inter": CORES, "onednn": 1}  # one core an operation, several operations at once
WITHOUT = {"onednn": 0}
DEFAULTS = (TOGETHER, TOGETHER | WITHOUT)
ANY = (*DEFAULTS, SIDE_BY_SIDE, SIDE_BY_SIDE | WITHOUT)
#: side: (what it is, its program, the settings it chooses its own best from)
SIDES = {
    "fast default": ("lstm_mnist, as a reader gets it", "fast", (AS_IT_COMES,)),
    "keras default": ("keras.layers.LSTM, fit, as it comes", "keras", (AS_IT_COMES,)),
    "torch default": ("PyTorch nn.LSTM, as it comes", "torch", (AS_IT_COMES,)),
    "2019": ("the 2019 program's graph", "2019", ANY),
    "keras": ("keras.layers.LSTM, fit", "keras", DEFAULTS),
    "keras many": ("keras.layers.LSTM, fit, 20 steps a call", "keras many", ANY),
    "keras unrolled": ("keras.layers.LSTM, fit, unrolled", "keras unrolled", DEFAULTS),
    "keras jit": ("keras.layers.LSTM, fit, XLA", "keras jit", DEFAULTS),
    "torch": ("PyTorch nn.LSTM", "torch", ({"intra": CORES}, {"intra": 1})),
    "plain": ("lstm_mnist, plain", "plain", ANY),
    "fast": ("lstm_mnist, fast", "fast", ANY),
}
#: rung: (program, settings), each with what the rungs before it have
LADDER = {
    "the plain layer": ("plain, one step a call", TOGETHER | WITHOUT),
    "oneDNN": ("plain, one step a call", TOGETHER),
    "20 steps a call": ("plain", TOGETHER),
    "two halves side by side": ("two halves", SIDE_BY_SIDE),
    "all rows in one operation": ("one operation", SIDE_BY_SIDE),
    "the backward pass by hand": ("fast", SIDE_BY_SIDE),
    "without oneDNN again": ("fast", SIDE_BY_SIDE | WITHOUT),
}
#: what grows: (its values, the sides that are measured)
GROWTH = {
    "batch": ((32, 128, 512, 2048), ("keras many", "fast")),
    "time_steps": ((28, 112, 392, 784), ("keras unrolled", "keras many", "fast")),
    "units": ((32, 128, 512), ("keras many", "fast")),
}
PIXELS = ("pixels", "rnn_pixels")  # recipes that read one pixel at a time
#: recipe: (what it is, the side whose settings it takes)
TRAININGS = {
    "2019 recipe": ("the 2019 program, 5,000 steps", "2019"),
    "quick recipe": ("the recipe quick", "fast"),
    "quickest recipe": ("the recipe quickest", "fast"),
}
SEEDS = 3
ROUNDS = 9


# --- this package's own programs, in a process of their own --------------------------------------------------------


def make_ours(settings, batch, time_steps, units, make_model=LSTMClassifier, steps_a_call=COUNT):
    """The loop of ``train`` on ``make_model(units)``; see ``peers``."""
    peers.start_tensorflow(settings)
    images, labels = map(tf.constant, peers.digits(batch, time_steps))
    model, optimizer = make_model(units), keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    steps_of = make_train_steps(model, optimizer, [batch, time_steps, FEATURES])

    def train(steps):
        for start in range(0, steps, steps_a_call):
            size = min(steps_a_call, steps - start)
            steps_of(images[:size], labels[:size]).numpy()

    run = tf.function(lambda part: model(part))
    return train, lambda test: np.concatenate([run(tf.constant(part)) for part in np.split(test, 10)])


def plain(units):
    model = LSTMClassifier(units)
    model.lstm.implementation = "plain"
    return model


class Rung(LSTM):
    """The layer; ``arithmetic(x, state, kernel, recurrent_kernel, bias)`` gives each half of the batch its last h."""

    def __init__(self, units, arithmetic):
        super().__init__(units)
        self.arithmetic = arithmetic

    def call(self, sequences, initial_state=None):  # arguments that Keras's build asks for
        weights = [tf.convert_to_tensor(weight) for weight in self.weights]
        halves = tf.split(sequences, 2)
        state = self.get_initial_state(halves[0].shape[0])
        return tf.concat([self.arithmetic(half, state, *weights) for half in halves], axis=0)


def row_after_row(*arguments):
    """The plain layer's rows."""
    _, h, _ = plain_lstm(*arguments)
    return h


def one_operation(x, state, kernel, recurrent_kernel, bias):
    """All rows in TensorFlow's ``BlockLSTMV2``, with the gradient that TensorFlow has for it."""
    h, c = state
    none = tf.zeros_like(bias[: h.shape[1]])
    cell = {"w": tf.concat([kernel, recurrent_kernel], axis=0), "b": bias, "wci": none, "wcf": none, "wco": none}
    rows = tf.transpose(x, [1, 0, 2])
    return tf.raw_ops.BlockLSTMV2(seq_len_max=rows.shape[0], x=rows, cs_prev=c, h_prev=h, cell_clip=0.0, **cell).h[-1]


def on_rung(arithmetic, units):
    """A network of the ladder."""
    rows = keras.Input((28, FEATURES), batch_size=WORK["batch"])
    return networks.Neighbour(keras.Model(rows, keras.layers.Dense(CLASSES)(Rung(units, arithmetic)(rows))))


def of_recipe(name, units):
    """The network of a recipe; its units are its own."""
    return RECIPES[name].make_model()


def make_peak(settings, batch, time_steps, units):
    """Products of two 1024 x 1024 matrices in place of steps."""
    peers.start_tensorflow(settings)
    a = tf.random.normal((1024, 1024))
    product = tf.function(lambda a: tf.matmul(a, a))

    def multiply(times):
        for _ in range(times):
            result = product(a)
        result.numpy()

    return multiply, None


def learn(settings, seed, recipe):
    """A program that is done when it is built: a recipe."""
    peers.start_tensorflow(settings)
    model = RECIPES[recipe].train(seed, load_mnist())
    return lambda steps: None, lambda test: model.predict(test, batch_size=1000, verbose=0)


PROGRAMS = {
    "fast": make_ours,
    "plain": partial(make_ours, make_model=plain),
    "plain, one step a call": partial(make_ours, make_model=plain, steps_a_call=1),
    "two halves": partial(make_ours, make_model=partial(on_rung, row_after_row)),
    "one operation": partial(make_ours, make_model=partial(on_rung, one_operation)),
    "peak": make_peak,
    "quick recipe": partial(learn, recipe="quick"),
    "quickest recipe": partial(learn, recipe="quickest"),
    **{name: partial(make_ours, make_model=partial(of_recipe, name)) for name in PIXELS},
}

#: kind of operation: what is in its name, the first that fits
KINDS = {
    "all rows forward": "BlockLSTM$",  # products and gates
    "matrix products": "MatMul",
    "copies": "Concat|Split|Pack|Slice|Transpose",
    "element by element": "",
}


def profile(train):
    """Milliseconds of one step by kind of operation, of all cores together."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            train(COUNT)
        (file,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    shares = dict.fromkeys(KINDS, 0.0)
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            operation = re.fullmatch(r"[^:]+:(\w+)", plane.event_metadata[event.metadata_id].name)
            if operation and plane.name == "/host:CPU":
                kind = next(kind for kind, name in KINDS.items() if re.search(name, operation[1]))
                shares[kind] += event.duration_ps / 1e9 / COUNT
    return {kind: round(milliseconds, 2) for kind, milliseconds in shares.items()}


# --- the command: start the processes, give them their turns -------------------------------------------------------


def start(name, settings, **work):
    """A child that builds the program ``name``; ``ready`` waits for it."""
    file, environment = ["-m", __name__], {}
    if name not in PROGRAMS:
        file = ["-P", peers.__file__]
        environment = {"TF_NUM_INTRAOP_THREADS": None, "TF_ENABLE_ONEDNN_OPTS": None}  # as without this package
    if "onednn" in settings:  # read when TensorFlow starts
        environment["TF_ENABLE_ONEDNN_OPTS"] = str(settings["onednn"])
    return Child([sys.executable, *file, name, json.dumps(settings), json.dumps(work)], environment)


def ready(child):
    """Seconds from the start of the process to the end of its first step, or of its training."""
    child.answer()
    return time.perf_counter() - child.started


def step_ms(child, steps=COUNT):
    return 1000 * child.ask(["train", steps]) / steps


def best_settings(side):
    """Of a side's settings the one with the fastest step, each tried in a process of its own."""
    _, program, choices = SIDES[side]
    if len(choices) == 1 or CORES == 1:
        return choices[0]
    times = []
    for settings in choices:
        with start(program, settings, **WORK) as child:
            ready(child)
            times.append(min(step_ms(child) for _ in range(4)))
    return choices[times.index(min(times))]


def machine():
    """What the times belong to."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        name = next((line.split(":")[1].strip() for line in info.open() if line.startswith("model name")), name)
    return {"processor": name, "cores": CORES, "system": platform.system(), "python": platform.python_version()}


def in_turn(sides, measure, rounds):
    """``{name: [a number a round]}`` from ``measure(name, side)``: all sides once, then all again.

    The first round warms up and is not counted.
    """
    times = {name: [] for name in sides}
    for n in range(rounds + 1):
        for name, side in sides.items():
            value = measure(name, side)
            if n > 0:
                times[name].append(round(value, 3))
    return times


def measure_sides():
    """Every side's step and reading of the test images, each round of each; what cannot start says why."""
    with contextlib.ExitStack() as stack:
        children, sides, missing = {}, {}, {}
        for side, (label, program, _) in SIDES.items():
            try:
                settings = best_settings(side)
                child = stack.enter_context(start(program, settings, **WORK))
                seconds = ready(child)
            except ChildError as error:
                missing[side] = str(error)
                print(f"{label}: missing ({error})", flush=True)
                continue
            children[side] = child
            sides[side] = {"label": label, "settings": settings, "first_step_s": round(seconds, 2)}
            print(f"{label}: first step after {seconds:.1f} s", flush=True)
        peak = stack.enter_context(start("peak", TOGETHER, **WORK))
        ready(peak)
        steps = in_turn(children | {"peak": peak}, lambda _, child: step_ms(child), ROUNDS)
        for side, child in children.items():
            sides[side]["peak_memory_mb"] = peak_memory(child.pid)
        reading = in_turn(children, lambda _, child: child.ask(["predict"]), ROUNDS)
    for side, row in sides.items():
        row |= {"train_ms": steps[side], "predict_s": reading[side]}
    gigaflops = 2 * 1024**3 / statistics.median(steps["peak"]) / 1e6
    return {"rounds": ROUNDS, "peak_gflops": round(gigaflops, 1), "sides": sides, "missing": missing}


def measure_ladder():
    """Milliseconds a step of every rung, in turn: ``{rung: [a round's, …]}``."""
    with contextlib.ExitStack() as stack:
        children = {rung: stack.enter_context(start(*made, **WORK)) for rung, made in LADDER.items()}
        for child in children.values():
            ready(child)
        times = in_turn(children, lambda _, child: step_ms(child), ROUNDS)
    for rung, values in times.items():
        print(f"{rung:32} {statistics.median(values):6.1f} ms a step", flush=True)
    return times


def measure_profile(settings):
    """The ``profile`` of the fast side's step."""
    with start("fast", settings["fast"], **WORK) as child:
        ready(child)
        step_ms(child)
        result = child.ask(["profile"])
    print(result, flush=True)
    return result


def measure_trainings(settings, seeds=SEEDS):
    """Each recipe from the start of its process to the end of its training, in turn; its test accuracy read once."""
    result = {name: {"label": label, "seconds": [], "test_accuracy": []} for name, (label, _) in TRAININGS.items()}
    for seed in range(seeds):
        for name, (label, side) in TRAININGS.items():
            with start(name, settings[side], seed=seed) as child:
                seconds = ready(child)
                accuracy = child.ask(["test"])
            result[name]["seconds"].append(round(seconds, 1))
            result[name]["test_accuracy"].append(round(accuracy, 4))
            print(f"{label}, seed {seed}: {seconds:.1f} s, test accuracy {accuracy:.4f}", flush=True)
    return result


def measure_point(program, settings, **work):
    """Time of a step, peak memory and time to the first step, of a process that takes a few steps."""
    with start(program, settings, **WORK | work) as child:
        seconds = ready(child)
        times = [step_ms(child, steps=2) for _ in range(4)]
        memory = peak_memory(child.pid)
    point = {"train_ms": round(statistics.median(times[1:]), 2), "peak_memory_mb": memory}
    point["first_step_s"] = round(seconds, 2)
    print(f"{program} {work}: {point}", flush=True)
    return point


def measure_growth(settings):
    """The point of every side as batch, time steps and units grow: ``{axis: {side: {value: point}}}``."""
    result = {axis: {} for axis in GROWTH}
    for axis, (values, sides) in GROWTH.items():
        for side in sides:
            points = {str(value): measure_point(SIDES[side][1], settings[side], **{axis: value}) for value in values}
            result[axis][side] = points
    return result


def show(result):
    """The table, each time with its ratio to the fast side's."""
    sides = result["sides"]
    fast = statistics.median(sides["fast"]["train_ms"])
    print(f"\n{result['machine']['processor']}, {result['machine']['cores']} cores, {result['date']}")
    print(f"matrix products of 1024 x 1024: {result['peak_gflops']:.0f} GFLOP/s\n")
    print(f"{'':42}{'ms/step':>8}{'fast/it':>8}{'images/s':>9}{'MB':>6}{'first s':>8}{'test s':>7}")
    for side in sides.values():
        ms, seconds = statistics.median(side["train_ms"]), statistics.median(side["predict_s"])
        print(
            f"{side['label']:42}{ms:8.1f}{fast / ms:8.2f}{1000 * WORK['batch'] / ms:9.0f}"
            f"{side['peak_memory_mb'] or 0:6.0f}{side['first_step_s']:8.1f}{seconds:7.2f}"
        )
    for side, reason in result["missing"].items():
        print(f"{SIDES[side][0]:42} missing: {reason}")


def bench(output=None):
    """Measure, print the table, and keep the numbers in ``output``, each part as soon as it is there."""
    result = json.loads(output.read_text()) if output and output.exists() else {}
    result |= {"date": datetime.date.today().isoformat(), "machine": machine(), "work": WORK}
    result |= measure_sides()
    show(result)
    keep(result, output)
    settings = {side: row["settings"] for side, row in result["sides"].items()}
    parts = {
        "ladder": measure_ladder,
        "profile": lambda: measure_profile(settings),
        "quality": lambda: measure_trainings(settings),
        "growth": lambda: measure_growth(settings),
        "pixels": lambda: {name: measure_point(name, settings["fast"])["peak_memory_mb"] for name in PIXELS},
    }
    for name, measure in parts.items():
        result[name] = measure()
        keep(result, output)


def keep(result, output):
    if output:
        with all_or_nothing(output) as path:
            path.write_text(json.dumps(result, indent=1) + "\n")
        print(f"written: {output}\n", flush=True)


if __name__ == "__main__":
    peers.main(*sys.argv[1:], programs=PROGRAMS, others={"profile": profile})
