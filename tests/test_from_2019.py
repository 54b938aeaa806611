"""Today's network against TensorFlow 1's own: the 2019 program of notebook 07 runs in a process of its own."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_mnist
from lstm_mnist.data import scale

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "07_from_2019_to_today.ipynb"
NAMES = ("rnn/basic_lstm_cell/kernel", "rnn/basic_lstm_cell/bias", "Variable", "Variable_1")

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tf_keras") is None, reason="the 2019 side needs tf-keras: pip install tf-keras==2.21.*"
)

CELL_2019 = """
for name in ("float32", "float64"):
    given = {key: array.astype(name) for key, array in np.load("given.npz").items()}
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.constant(given["x"])
        cell = tf.nn.rnn_cell.BasicLSTMCell(5, forget_bias=1.0, dtype=name)
        state = tf.nn.rnn_cell.LSTMStateTuple(tf.constant(given["c"]), tf.constant(given["h"]))
        outputs, state = tf.nn.static_rnn(cell, tf.unstack(x, axis=1), initial_state=state)
        outputs = tf.stack(outputs, axis=1)
        target = tf.reduce_sum(outputs * given["outputs_probe"]) + tf.reduce_sum(state.c * given["c_probe"])
        kernel, bias = cell.trainable_variables
        d_kernel, d_bias, d_x = tf.gradients(target, [kernel, bias, x])
        session.run(tf.global_variables_initializer())
        kernel.load(given["kernel"], session)
        bias.load(given["bias"], session)
        wanted = dict(outputs=outputs, c=state.c, h=state.h, d_kernel=d_kernel, d_bias=d_bias, d_x=d_x)
        np.savez(name + ".npz", **session.run(wanted))
"""
KEEP_START = """
np.savez("start.npz", **{v.op.name.replace("/", "|"): value
                         for v, value in zip(tf.trainable_variables(), session.run(tf.trainable_variables()))})
"""
ANSWER = """
def answers():
    images = lstm_mnist.data.scale(mnist.test.images)
    return np.concatenate([session.run(logits, feed_dict={X: images[k:k + 1000]}) for k in range(0, 10000, 1000)])

kept = answers()
tf.train.Saver(tf.trainable_variables()).restore(session, "moved.ckpt")
np.savez("answers.npz", losses=losses, trained=kept, moved=answers())
"""


def notebook_cells():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def notebook_function(name):
    """A function as the notebook's own cell defines it."""
    (source,) = (cell for cell in notebook_cells() if cell.startswith(f"def {name}("))
    names = {"np": np}
    exec(source, names)
    return names[name]


def program_2019():
    """The cells ``%%in_2019 <part>``: ``{part: text}`` in the notebook's order."""
    parts = {}
    for cell in notebook_cells():
        first, _, body = cell.partition("\n")
        if first.startswith("%%in_2019 "):
            parts[first.split()[1]] = body
    return parts


def run_2019(program, folder):
    """Run a program with tf-keras's legacy cells; what it printed."""
    environment = os.environ | {"TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def given():
    """What the old cell and ours are given, for 4 sequences of 6 steps of 3 features, and 5 units."""
    draw = np.random.default_rng(0).normal
    shapes = {"x": (4, 6, 3), "h": (4, 5), "c": (4, 5), "kernel": (8, 20), "bias": (20,)}
    shapes |= {"outputs_probe": (4, 6, 5), "c_probe": (4, 5)}
    return {name: draw(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def then(tmp_path_factory, given):
    """The folder of one 2019 process, and what it printed.

    It runs the cell alone, then the notebook's program as one script: from a kept start to a saved network, then with
    a network of ours.
    """
    folder = tmp_path_factory.mktemp("2019")
    np.savez(folder / "given.npz", **given)
    arrays = notebook_function("to_2019")(*lstm_mnist.load_pretrained("2019").get_weights())
    tf.raw_ops.SaveV2(prefix=str(folder / "moved.ckpt"), tensor_names=NAMES, shape_and_slices=[""] * 4, tensors=arrays)
    parts = program_2019()
    parts["version"] += CELL_2019
    parts["session"] += KEEP_START
    return folder, run_2019("\n".join([*parts.values(), ANSWER]), folder)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)])
def test_our_lstm_is_basic_lstm_cell_under_static_rnn(given, then, dtype, tolerance):
    old = np.load(then[0] / f"{dtype}.npz")
    given = {name: array.astype(dtype) for name, array in given.items()}
    from_2019 = notebook_function("from_2019")
    nothing = np.zeros(0, dtype)
    layer = lstm_mnist.LSTM(5, return_sequences=True, return_state=True, dtype=dtype)
    layer.build((None, 6, 3))
    layer.set_weights(from_2019(given["kernel"], given["bias"], nothing, nothing, num_features=3)[:3])
    x = tf.constant(given["x"])
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs, h, c = layer(x, initial_state=[tf.constant(given["h"]), tf.constant(given["c"])])
        target = tf.reduce_sum(outputs * given["outputs_probe"]) + tf.reduce_sum(c * given["c_probe"])
    d_x, *d_weights = tape.gradient(target, [x, *layer.trainable_variables])

    def close(now, was):
        np.testing.assert_allclose(now, was, rtol=tolerance, atol=tolerance)

    close(outputs, old["outputs"])
    close(h, old["h"])
    close(c, old["c"])
    close(d_x, old["d_x"])
    d_weights_old = from_2019(old["d_kernel"], old["d_bias"], nothing, nothing, num_features=3, forget_bias=0)
    for now, was in zip(d_weights, d_weights_old[:3], strict=True):
        close(now, was)


def test_conversion_returns_what_it_was_given():
    draw = np.random.default_rng(1).normal
    arrays = [draw(size=shape) for shape in ((156, 512), (512,), (128, 10), (10,))]
    back = notebook_function("to_2019")(*notebook_function("from_2019")(*arrays))
    for there, here in zip(arrays, back, strict=True):
        np.testing.assert_allclose(here, there, rtol=0, atol=1e-15)


def test_the_2019_program_prints_what_it_printed(then):
    lines = then[1].splitlines()
    reports = [line for line in lines if line.startswith("Step ")]
    assert [line.split(",")[0] for line in reports] == ["Step 1", "Step 100", "Step 200"]
    assert all("Loss= " in line and "Training Accuracy= " in line for line in reports)
    assert lines[-2] == "Optimization Finished!"
    assert lines[-1].startswith("Testing Accuracy: 0.")


def test_two_hundred_steps_from_the_same_start(then):
    """With Adam's constants equal, only float32's rounding is left: 1e-6 nats seen in losses of 0.2 to 3."""
    folder, _ = then
    start = np.load(folder / "start.npz")
    model = lstm_mnist.LSTMClassifier()
    model.set_weights(notebook_function("from_2019")(*(start[name.replace("/", "|")] for name in NAMES)))
    betas = [float(np.float32(beta)) for beta in (0.9, 0.999)]
    adam = keras.optimizers.Adam(0.001, *betas, epsilon=1e-8)
    history = lstm_mnist.train(model, lstm_mnist.load_mnist().train, steps=200, optimizer=adam, watchers=())
    assert history.loss[:10].mean() > 3 * history.loss[-10:].mean()
    np.testing.assert_allclose(history.loss, np.load(folder / "answers.npz")["losses"], rtol=0, atol=1e-5)


def test_a_2019_checkpoint_gives_the_same_predictions_today(then):
    folder, _ = then
    reader = tf.train.load_checkpoint(str(folder / "trained.ckpt"))
    model = lstm_mnist.LSTMClassifier()
    model.set_weights(notebook_function("from_2019")(*(reader.get_tensor(name) for name in NAMES)))
    agree(model, np.load(folder / "answers.npz")["trained"])


def test_our_network_gives_the_same_predictions_in_2019(then):
    agree(lstm_mnist.load_pretrained("2019"), np.load(then[0] / "answers.npz")["moved"])


def agree(model, logits):
    images = lstm_mnist.load_mnist().test.images
    now = np.concatenate([model(scale(images[k : k + 1000])) for k in range(0, len(images), 1000)])
    assert now.shape == logits.shape == (10000, 10)
    np.testing.assert_allclose(now, logits, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(now.argmax(axis=1), logits.argmax(axis=1))


def test_without_tf_keras_the_notebook_says_how_to_get_it(monkeypatch):
    (cell,) = (cell for cell in notebook_cells() if "find_spec" in cell)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .*tf-keras"):
        exec(cell, {})
