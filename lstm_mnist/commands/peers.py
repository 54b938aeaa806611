"""The programs that ``bench`` compares with, and how each of them works for it in a process of its own.

This file imports no other module of the package: as a script it runs a peer under that peer's own Python. A program is
a function of settings, batch, time steps and units; it returns ``train(steps)``, which may say itself how many seconds
it took, and ``predict(images)``, the logits or probabilities for uint8 images ``[n, time_steps, 28]``.
"""

import json
import os
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

MNIST_FILE = Path(__file__).resolve().parents[1] / "mnist.npz"
WORK = {"batch": 128, "time_steps": 28, "units": 128}
FEATURES, CLASSES = 28, 10
COUNT = 20  # batches that a process holds ready, and steps of one call where a program can take many


def digits(batch, time_steps):
    """Some batches: images uint8 ``[count, batch, time_steps, 28]``, labels uint8; MNIST's pixels, in order."""
    count = COUNT if batch * time_steps <= 8192 else 2  # fewer where they are large
    with np.load(MNIST_FILE) as archive:
        images, labels = archive["x_train"], archive["y_train"]
    return np.resize(images, (count, batch, time_steps, FEATURES)), np.resize(labels, (count, batch))


def scaled(images):
    return images.astype(np.float32) / np.float32(255)


def one_hot(labels):
    return np.eye(CLASSES, dtype=np.float32)[labels]


def start_tensorflow(settings):
    """TensorFlow with the threads of ``settings``; without any, as it comes."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow")
    import tensorflow as tf

    if "intra" in settings:
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


def make_2019(settings, batch, time_steps, units):
    step, predict = graph_2019(settings, time_steps, units)
    images, labels = digits(batch, time_steps)
    images, labels = scaled(images), one_hot(labels)

    def train(steps):
        for n in range(steps):
            step(images[n % len(images)], labels[n % len(images)])

    return train, predict


def make_keras(settings, batch, time_steps, units, unroll=False, steps_per_execution=1, jit=False):
    tf = start_tensorflow(settings)
    import keras

    images, labels = digits(batch, time_steps)
    images, labels = scaled(images).reshape(-1, time_steps, FEATURES), labels.ravel()
    rows = keras.Input((time_steps, FEATURES), batch_size=batch if unroll else None)
    model = keras.Sequential([rows, keras.layers.LSTM(units, unroll=unroll), keras.layers.Dense(CLASSES)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], steps_per_execution=steps_per_execution, jit_compile=jit)

    times = []  # of batches' begins and ends: what fit does before the first and after the last is not counted

    def note_time(batch, logs=None):
        times.append(time.perf_counter())

    clock = keras.callbacks.LambdaCallback(on_train_batch_begin=note_time, on_train_batch_end=note_time)

    def train(steps):
        times.clear()
        end, epochs = min(steps * batch, len(images)), -(-steps * batch // len(images))
        options = {"batch_size": batch, "epochs": epochs, "shuffle": False, "verbose": 0}
        model.fit(images[:end], labels[:end], callbacks=[clock], **options)
        return times[-1] - times[0]

    run = tf.function(lambda part: model(part), jit_compile=jit)
    return train, lambda test: np.concatenate([run(tf.constant(part)) for part in np.split(scaled(test), 10)])


def make_torch(settings, batch, time_steps, units):
    import torch

    if "intra" in settings:
        torch.set_num_threads(settings["intra"])
    images, labels = digits(batch, time_steps)
    # rows first: the layout that nn.LSTM computes in, so nothing is turned round at each step
    images = torch.from_numpy(scaled(images)).transpose(1, 2).contiguous()
    labels = torch.from_numpy(labels.astype(np.int64))
    recurrent, output = torch.nn.LSTM(FEATURES, units), torch.nn.Linear(units, CLASSES)
    optimizer = torch.optim.Adam([*recurrent.parameters(), *output.parameters()])

    def train(steps):
        for n in range(steps):
            optimizer.zero_grad()
            outputs, _ = recurrent(images[n % len(images)])
            torch.nn.functional.cross_entropy(output(outputs[-1]), labels[n % len(images)]).backward()
            optimizer.step()

    def predict(test):
        with torch.inference_mode():
            parts = torch.from_numpy(scaled(test)).split(1000)
            return torch.cat([output(recurrent(part.transpose(0, 1))[0][-1]) for part in parts]).numpy()

    return train, predict


def learn_2019(settings, seed):
    """A program that is done when it is built: the 2019 program's 5,000 steps on shuffled batches."""
    step, predict = graph_2019(settings, 28, 128, seed)
    with np.load(MNIST_FILE) as archive:
        images, labels = scaled(archive["x_train"][5000:]), one_hot(archive["y_train"][5000:])
    random, order = np.random.default_rng(seed), []
    for _ in range(5000):
        if len(order) < 128:
            order = random.permutation(len(images))
        here, order = order[:128], order[128:]
        step(images[here], labels[here])
    return lambda steps: None, predict


#: what runs without the package
PROGRAMS = {
    "2019": make_2019,
    "keras": make_keras,
    "keras many": partial(make_keras, steps_per_execution=COUNT),
    "keras unrolled": partial(make_keras, unroll=True),
    "keras jit": partial(make_keras, jit=True),
    "torch": make_torch,
    "2019 recipe": learn_2019,
}


# --- a process at work ---------------------------------------------------------------------------------------------


def answers():
    """Orders one by one, and a function that answers; what libraries print meanwhile goes to the error output."""
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(what):
        print(json.dumps(what), file=output, flush=True)

    return map(json.loads, sys.stdin), answer


def main(name, settings, work, programs=PROGRAMS, others=()):
    """Build the program, take one step, then obey: ``["train", steps]`` and ``["predict"]`` are answered with seconds.

    ``["test"]`` is answered with the accuracy on the test images. ``others`` are further orders, a function of
    ``train`` each.
    """
    orders, answer = answers()
    train, predict = programs[name](json.loads(settings), **json.loads(work))
    train(1)
    answer("ready")
    with np.load(MNIST_FILE) as archive:
        test, labels = archive["x_test"], archive["y_test"]
    for order, *details in orders:
        if order == "test":
            answer(float(np.mean(predict(test).argmax(axis=1) == labels)))
        elif order in others:
            answer(others[order](train))
        else:
            start = time.perf_counter()
            measured = predict(test) if order == "predict" else train(*details)
            seconds = time.perf_counter() - start
            answer(measured if isinstance(measured, float) else seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
