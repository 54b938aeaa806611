"""Every public function of the rooms that a reader calls, against values that it cannot mean.

Each parameter in turn is given a value of ``WRONG``, all others a good one: the call may succeed, or end in an error
that the package itself raises and that says what is wrong, never in one from deep within TensorFlow, Keras or NumPy. A
new function falls under this by itself; a parameter with a new name wants a good value in ``GOOD``.
"""

import ast
import importlib
import inspect
import pkgutil
import traceback
from pathlib import Path

import keras
import numpy as np
import pytest
from of_tests.imports import MODULES

import lstm_mnist
from lstm_mnist.bigger.shards import write_shards

PACKAGE = Path(lstm_mnist.__file__).parent
OURS = (ValueError, TypeError, OSError, ImportError, RuntimeError)

#: rooms and functions that no reader hands values to, with the reason
LEFT_OUT = {
    "__main__": "reads a command line, as argparse does",
    "commands": "called by __main__",
    "exercises": "tests/test_exercises.py tries hundreds of wrong answers",
    "pad": "a widget; tests/test_pad.py",
    "plots": "pictures of the notebooks' own arrays",
    "processes": "called by commands and workers",
    "faster": "called by the layer, inside a graph",
    "better.ledger.write_table": "called by commands",
    "better.recipes": "called by a command",
    "better.levers": "called by the recipes",
    "better.networks": "Keras checks the layers' sizes",
    "bigger.workers.work": "the life of a worker process",
    "bigger.workers.train_as_ordered": "called by work",
    "checkpoints.settings_of": "called with a run",
    "bigger.sharing": "needs a strategy; tests/test_sharing.py",
    "data.scale": "called after check_images",
    "data.read_idx": "called by load_idx",
    "inside.busiest_cells": "called by shown_states",
    "inside.walk": "called inside a graph",
    "inside.weighted_sums": "called inside a graph",
    "lstm.lstm_step": "called inside a graph",
    "lstm.plain_lstm": "called inside a graph",
    "training.Run": "made by train",
    "training.loss_and_accuracy": "called inside a graph",
    "training.compute_gradients": "called inside a graph",
    "training.make_train_steps": "called by train",
    "training.take_steps_watched": "called by train",
    "training.update": "called inside a graph",
    "training.check_computed": "called inside a graph",
}
#: functions of which a raw error is known; the list may only shrink
KNOWN_RAW = set()

WRONG = {
    "None": None,
    "a text": "text",
    "a number": 2.5,
    "NaN": float("nan"),
    "a negative number": -1,
    "a huge number": 10**30,
    "True": True,
    "an object": object(),
    "nothing": [],
    "an array of rank 0": np.array(1.0),
    "an array of rank 1": np.zeros(3, np.float32),
    "an array of rank 4": np.zeros((1, 28, 28, 1), np.uint8),
    "an empty array": np.zeros((0, 28, 28), np.uint8),
    "an array of NaN": np.full((4, 28, 28), np.nan, np.float32),
    "an array of objects": np.array([{}, None], object),
}


def images():
    return lstm_mnist.load_mnist().test.images[:4]


def labels():
    return lstm_mnist.load_mnist().test.labels[:4]


def model():
    keras.utils.set_random_seed(0)
    network = lstm_mnist.LSTMClassifier(3)
    network.lstm.implementation = "plain"
    return network


def probabilities():
    return np.eye(10, dtype=np.float32)[labels()]


def states():
    return np.random.default_rng(0).normal(size=(4, 28, 3))


#: what makes a good value, by the name of a parameter, or of a function and its parameter
GOOD = {
    "amount": lambda _: 1.0,
    "batch_size": lambda _: 2,
    "batches": lambda _: [(images(), labels())],
    "bend": lambda _: 0.6,
    "bins": lambda _: 10,
    "buffer": lambda _: 3,
    "c": lambda _: states(),
    "change": lambda _: lambda images, n: images,
    "checkpoint_every": lambda _: 10,
    "checkpoint_folder": lambda folder: folder / "run",
    "compute": lambda _: lstm_mnist.training.compute_gradients,
    "correct": lambda _: 3,
    "count": lambda _: 1,
    "degrees": lambda _: 12.0,
    "dtype": lambda _: np.float32,
    "every": lambda _: 5,
    "file": lambda folder: folder / "picture.png",
    "first": lambda _: probabilities(),
    "folder": lambda folder: folder / "new",
    "image": lambda _: images()[0],
    "images": lambda _: images(),
    "implementation": lambda _: "plain",
    "init": lambda _: "keras",
    "ink": lambda _: images()[0],
    "labels": lambda _: labels(),
    "layer": lambda _: model().lstm,
    "least": lambda _: 1,
    "logits": lambda _: np.zeros((4, 10), np.float32),
    "missing_rows": lambda _: 4,
    "model": lambda _: model(),
    "most": lambda _: 20,
    "n": lambda _: 5,
    "name": lambda _: "2019",
    "names": lambda _: ["a"],
    "noise": lambda _: 0.3,
    "num_classes": lambda _: 10,
    "num_dims": lambda _: 3,
    "num_features": lambda _: 28,
    "num_hidden": lambda _: 3,
    "num_images": lambda _: 4,
    "number": lambda _: 2,
    "open_gates": lambda _: ("f",),
    "optimizer": lambda _: keras.optimizers.Adam(),
    "patch": lambda _: 5,
    "path": lambda folder: folder / "file",
    "pen_width": lambda _: 20,
    "probabilities": lambda _: probabilities(),
    "recipe": lambda _: {},
    "remedy": lambda _: "mend it",
    "rows": lambda _: [{"a": 1}],
    "scale": lambda _: 0.1,
    "second": lambda _: probabilities(),
    "seed": lambda _: 7,
    "shards": lambda folder: write_shards(folder / "shards", [(images(), labels())], shards=2),
    "shear": lambda _: 0.2,
    "shift": lambda _: 2.5,
    "size": lambda _: 100,
    "split": lambda _: lstm_mnist.Split(images(), labels()),
    "start": lambda _: 0,
    "states": lambda _: states(),
    "steps": lambda _: 1,
    "stop": lambda _: 1,
    "strokes": lambda _: [[(10, 10), (20, 20)]],
    "time_limit": lambda _: 1,
    "time_steps": lambda _: 28,
    "total": lambda _: 100,
    "units": lambda _: 3,
    "validation_size": lambda _: 1,
    "value": lambda _: 3,
    "wanted": lambda _: np.arange(4 * 28).reshape(4, 28) % 5,
    "watchers": lambda _: (),
    "x": lambda _: np.zeros((4, 28, 28), np.float32),
    "z": lambda _: 1.96,
    "zero": lambda _: False,
    # a room's own meaning of a name
    "checks.check_number.most": lambda _: 10,
    "bigger.export.export.path": lambda folder: folder / "model.keras",
    "bigger.shards.write_shards.shards": lambda _: 2,
    "better.distortions.distort.seed": lambda _: np.array([0, 1]),
    "better.distortions.disturb.seed": lambda _: np.array([0, 1]),
    "inside.accuracy_by_row.probabilities": lambda _: np.repeat(probabilities()[:, None], 28, axis=1),
    "inside.decision_rows.probabilities": lambda _: np.repeat(probabilities()[:, None], 28, axis=1),
    "pretrained.save_pretrained.path": lambda folder: folder / "mine.npz",
    "training.train.split": lambda _: lstm_mnist.Split(images()[:, :3], labels()),  # short: each call makes a graph
}


def public_functions():
    """Functions and classes that a reader may call, by the name of their room and their own."""
    found = {}
    for info in pkgutil.walk_packages(lstm_mnist.__path__, f"{lstm_mnist.__name__}."):
        room = info.name.removeprefix(f"{lstm_mnist.__name__}.")
        if info.ispkg or room in LEFT_OUT or room.split(".")[0] in LEFT_OUT:
            continue
        module = importlib.import_module(info.name)
        for name, thing in vars(module).items():
            own = getattr(thing, "__module__", None) == info.name and not name.startswith("_")
            if own and f"{room}.{name}" not in LEFT_OUT and takes_values(thing):
                found[f"{room}.{name}"] = thing
    return found


def takes_values(thing):
    """Whether it is a function or class with parameters; records and errors take what they are given."""
    if inspect.isclass(thing):
        if issubclass(thing, tuple | Exception):
            return False
    elif not inspect.isfunction(thing):
        return False
    return bool(parameters(thing))


def parameters(function):
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [name for name, parameter in inspect.signature(function).parameters.items() if parameter.kind not in kinds]


FUNCTIONS = public_functions()
each_function = pytest.mark.parametrize("name", FUNCTIONS)


def good_values(name, folder):
    values = {}
    for parameter in parameters(FUNCTIONS[name]):
        make = GOOD.get(f"{name}.{parameter}") or GOOD.get(parameter)
        assert make, f"{name} has a parameter {parameter!r}: give it a good value in GOOD"
        values[parameter] = make(folder)
    return values


def call(function, values):
    """The function's result; what it opened is closed again."""
    if inspect.isgeneratorfunction(inspect.unwrap(function)):  # a context
        with function(**values) as result:
            Path(result).touch()
            return None
    result = function(**values)
    if hasattr(result, "__exit__"):
        with result:
            pass
    return result


def is_ours(error):
    """Whether the package raised the error itself, in words, and did not just let it pass."""
    raised_in = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    return isinstance(error, OURS) and PACKAGE in raised_in.parents


@each_function
def test_what_it_cannot_mean_is_answered_in_our_own_words(name, tmp_path_factory, monkeypatch):
    raw = []
    for parameter in parameters(FUNCTIONS[name]):
        for kind, value in WRONG.items():
            folder = tmp_path_factory.mktemp("table")
            monkeypatch.chdir(folder)
            try:
                call(FUNCTIONS[name], good_values(name, folder) | {parameter: value})
            except Exception as error:
                if not is_ours(error):
                    raw.append(f"{parameter} = {kind}: {type(error).__name__}: {str(error)[:100]}")
    if name in KNOWN_RAW:
        assert raw, f"{name} has no raw error any more: take it out of KNOWN_RAW"
        pytest.xfail("\n".join(raw))
    assert not raw, "\n".join(raw)


def whole_numbers(values):
    return [name for name, value in values.items() if isinstance(value, int) and not isinstance(value, bool)]


def flat(result):
    """A result's numbers as arrays, one after the other."""
    if isinstance(result, tuple | list):
        return [array for part in result for array in flat(part)]
    if isinstance(result, dict):
        return flat(list(result.values()))
    if isinstance(result, keras.Model | keras.layers.Layer):
        return [np.array(weight.shape) for weight in result.weights]
    if result is None or isinstance(result, str | Path):
        return []
    if hasattr(result, "__dict__") and not hasattr(result, "__array__"):
        return flat([value for value in vars(result).values() if isinstance(value, int | float | np.generic)])
    return [np.asarray(result)]


SLOW = {"bigger.export.export", "evaluation.predict_probabilities"}  # a second a call and more


@each_function
def test_numpy_numbers_of_every_width_give_what_plain_ones_give(name, tmp_path_factory):
    widths = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
    if name in SLOW:
        widths = ["int8", "uint64"]  # the first that overflows; no sign, and a float where it meets an int64
    folder = tmp_path_factory.mktemp("plain")
    values = good_values(name, folder)
    if not whole_numbers(values):
        pytest.skip("it takes no whole number")
    plain = outcome(name, values)
    for width in widths:
        folder = tmp_path_factory.mktemp(width)
        values = good_values(name, folder)
        for parameter in whole_numbers(values):
            values[parameter] = np.dtype(width).type(values[parameter])
        for ours, theirs in zip(outcome(name, values), plain, strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=width)


def outcome(name, values):
    """The numbers that a call gives, or the kind of the error that it ends in."""
    keras.utils.set_random_seed(0)
    try:
        return flat(call(FUNCTIONS[name], values))
    except OURS as error:
        if not is_ours(error):
            raise
        return [type(error).__name__]


def test_the_whole_number_that_a_check_gives_back_is_used():
    """A NumPy number passes the checks, and may overflow in the next line; what they give back is an int."""
    for path in MODULES.values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                called = getattr(node.value.func, "id", "")
                assert called not in ("check_whole", "check_positive", "check_seed"), f"{path}, line {node.lineno}"


def test_every_reason_names_something_that_is_there():
    for name in LEFT_OUT:
        room, _, function = name.rpartition(".")
        try:
            importlib.import_module(f"{lstm_mnist.__name__}.{name}")
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(f"{lstm_mnist.__name__}.{room}"), function), name


def test_a_raw_error_is_told_from_one_of_ours():
    for function, ours in ((lambda: lstm_mnist.load_pretrained("nonesuch"), True), (lambda: np.zeros(-1), False)):
        with pytest.raises(ValueError, match=r".") as raised:
            function()
        assert is_ours(raised.value) == ours
