"""What several exercises are made of, in NumPy."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z, axis=-1):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def lstm_step(z, c, order=("i", "f", "candidate", "o"), **fixed):
    """``lstm_mnist.lstm.lstm_step``, with the parts of ``z`` in another ``order`` or some of them ``fixed``, as f=1."""
    sums = dict(zip(order, np.split(z, 4, axis=1), strict=True))
    part = {"i": sigmoid(sums["i"]), "f": sigmoid(sums["f"]), "o": sigmoid(sums["o"])}
    part["candidate"] = np.tanh(sums["candidate"])
    part.update(fixed)
    new_c = part["f"] * c + part["i"] * part["candidate"]
    new_h = part["o"] * np.tanh(new_c)
    return part["i"], part["f"], part["candidate"], part["o"], new_c, new_h


def random_arrays(*shapes):
    """Standard normal float32 arrays of these shapes."""
    rng = np.random.default_rng(0)
    return tuple(rng.standard_normal(shape).astype(np.float32) for shape in shapes)
