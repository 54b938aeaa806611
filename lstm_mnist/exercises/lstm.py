"""Exercises of notebook 02."""

import numpy as np

from .checker import Exercise
from .examples import lstm_step, random_arrays, sigmoid

BATCH, FEATURES, UNITS = 3, 4, 5

X_T, H, C, W, U, B = random_arrays(
    (BATCH, FEATURES), (BATCH, UNITS), (BATCH, UNITS), (FEATURES, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,)
)

JOINT_KERNEL, JOINT_BIAS = random_arrays((FEATURES + UNITS, 4 * UNITS), (4 * UNITS,))

KERAS_ORDER = ("i", "f", "candidate", "o")
ORDER_OF_2019 = ("i", "candidate", "f", "o")


def sums(x_t, h, W, U, b):
    return x_t @ W + h @ U + b


def gate(part, curve=sigmoid, use_h=1, use_b=1, added=0):
    """The gate made of quarter number ``part``, counted from 0."""

    def gate(x_t, h, W, U, b):
        quarter = np.split(sums(x_t, use_h * h, W, U, use_b * b), 4, axis=1)[part]
        return curve(quarter + added)

    return gate


def unchanged(z):
    return z


def step(order=KERAS_ORDER, **fixed):
    def step(x_t, h, c, W, U, b):
        *_, new_c, new_h = lstm_step(sums(x_t, h, W, U, b), c, order, **fixed)
        return new_h, new_c

    return step


def only_h(step):
    return lambda *cell: step(*cell)[0]


def exchanged(step):
    return lambda *cell: step(*cell)[::-1]


def reordered(weights, order):
    """Four parts in the order of 2019, put into another ``order``."""
    parts = dict(zip(ORDER_OF_2019, np.split(weights, 4, axis=-1), strict=True))
    return np.concatenate([parts[name] for name in order], axis=-1)


def port(order=KERAS_ORDER, bias_order=KERAS_ORDER, forget_bias=1.0, forget_quarter=1, cut_at=None):
    """Kernels and bias of the cell of 2019 for Keras; its joint kernel is cut behind the features, or at ``cut_at``."""

    def port(joint_kernel, bias, num_features):
        kernel = reordered(joint_kernel, order)
        bias = reordered(bias, bias_order)
        units = len(bias) // 4
        bias[forget_quarter * units : (forget_quarter + 1) * units] += forget_bias
        end = num_features if cut_at is None else cut_at
        return kernel[:end], kernel[end:], bias

    return port


def kernels_exchanged(joint_kernel, bias, num_features):
    kernel, recurrent_kernel, bias = port()(joint_kernel, bias, num_features)
    return recurrent_kernel, kernel, bias


EXERCISES = {
    "02.1": Exercise(
        right=lambda d, h: 4 * (h * (d + h) + h),
        praise="four gates, each with h × (d + h) weights and h biases",
        wrong={
            "the biases are missing: h for each of the four parts": lambda d, h: 4 * h * (d + h),
            "that is one gate; there are three, and the candidate": lambda d, h: h * (d + h) + h,
            "that is the three gates; the candidate has weights, too": lambda d, h: 3 * (h * (d + h) + h),
            "one bias for all units and gates is too few: each unit has one in each part": (
                lambda d, h: 4 * h * (d + h) + 1
            ),
            "the parts do not share their biases: each part has its own for every unit": lambda d, h: (
                4 * h * (d + h) + h
            ),
            "that counts two biases for each unit and part, as PyTorch keeps them; Keras and this lesson have one": (
                lambda d, h: 4 * (h * (d + h) + 2 * h)
            ),
            "the weights for h(t−1) are missing, h × h in each part": lambda d, h: 4 * (h * d + h),
            "the weights do not depend on the number of rows: all 28 steps share them": (
                lambda d, h: 28 * 4 * (h * (d + h) + h)
            ),
        },
        inputs=((28, 128), (10, 32), (3, 1)),
        rtol=1e-9,
    ),
    "02.2": Exercise(
        right=gate(1),
        praise="the second quarter of the weights, through the sigmoid",
        wrong={
            "that is the input gate: in Keras's order i, f, candidate, o the forget gate comes second": gate(0),
            "that is the candidate's part: f comes third in the order of 2019, but second in Keras's": gate(2),
            "that is the output gate: in Keras's order i, f, candidate, o the forget gate comes second": gate(3),
            "tanh makes values from −1 to 1; a valve needs the sigmoid": gate(1, np.tanh),
            "the bias is forgotten": gate(1, use_b=0),
            "what the cell said last is forgotten: h with its weights U": gate(1, use_h=0),
            "add no 1 here: Keras has the forget bias in b already": gate(1, added=1),
            "that is the sum z; the sigmoid that makes a valve of it is missing": gate(1, unchanged),
            "those are four gates side by side; take the second quarter": lambda *cell: sigmoid(sums(*cell)),
            "those are all four parts; give back the second of them": lambda *cell: np.split(
                sigmoid(sums(*cell)), 4, axis=1
            ),
            f"128:256 is the second quarter of the lesson's 128 units; this cell has {UNITS} units, so its columns end "
            f"at {4 * UNITS}: take the sizes from the arrays": lambda *cell: sigmoid(sums(*cell))[:, 128:256],
        },
        inputs=((X_T, H, W, U, B),),
    ),
    "02.3": Exercise(
        right=port(),
        praise="the cell of 2019 lives on in a Keras layer",
        wrong={
            "the gates still have the order of 2019, and the forget bias is missing": port(
                ORDER_OF_2019, ORDER_OF_2019, forget_bias=0
            ),
            "the gates still have the order of 2019, and so the forget bias went to the candidate": port(
                ORDER_OF_2019, ORDER_OF_2019
            ),
            "the forget bias is missing: in 2019 it was added at each step, in Keras it sits in the bias": port(
                forget_bias=0
            ),
            "the order is right, but the forget bias went to the candidate: it belongs to the second quarter": port(
                forget_quarter=2
            ),
            "the kernels are right, but the bias still has the order of 2019, and the candidate got the 1": port(
                bias_order=ORDER_OF_2019
            ),
            "kernel and recurrent_kernel come back exchanged": kernels_exchanged,
            "28 is the lesson's number of features; cut at num_features": port(cut_at=28),
        },
        inputs=((JOINT_KERNEL, JOINT_BIAS, FEATURES),),
        results=("kernel", "recurrent_kernel", "bias"),
    ),
    "02.4": Exercise(
        right=step(f=1),
        praise="with f = 1 nothing is lost, and c only adds up",
        wrong={
            "the forget gate still moves: put 1 in its place": step(),
            "0 is shut: that forgets everything at each row; open is 1": step(f=0),
            "that freezes the bias, not the gate: open is 1, not sigmoid(1)": step(f=sigmoid(1)),
            "that is h alone; c goes into the next step, so it must come back, too": only_h(step(f=1)),
            "h and c are exchanged: give back h first": exchanged(step(f=1)),
        },
        inputs=((X_T, H, C, W, U, B),),
        results=("h", "c"),
    ),
    "02.5": Exercise(
        right=step(),
        praise="the shapes fitted, and only the order of the four parts was wrong",
        bug=step(("i", "o", "f", "candidate")),
        todo="its h and c still differ from those of the LSTM, though every shape fits",
        wrong={
            "i and f are now exchanged: Keras's order is not this one": step(("f", "i", "candidate", "o")),
            "that is the order of 2019; Keras has another one": step(ORDER_OF_2019),
            "candidate and o are now exchanged": step(("i", "f", "o", "candidate")),
        },
        inputs=((X_T, H, C, W, U, B),),
        results=("h", "c"),
    ),
}
