"""Exercises of notebook 02."""

import numpy as np

from .checker import Exercise
from .examples import normal, sigmoid

_CELL = normal((2, 3), (2, 5), (3, 20), (5, 20), (20,))

_STEP = normal((2, 3), (2, 5), (2, 5), (3, 20), (5, 20), (20,))


def _gate(number, curve=sigmoid, see_h=1, see_b=1):
    def gate(x_t, h, W, U, b):
        return curve(np.split(x_t @ W + see_h * h @ U + see_b * b, 4, axis=1)[number])

    return gate


def _every_gate(x_t, h, W, U, b):
    return sigmoid(x_t @ W + h @ U + b)


def _step(order="ifco", second_tanh=np.tanh, **fixed):
    """An LSTM step with gates read in ``order``, some of them ``fixed`` at a number."""

    def step(x_t, h, c, W, U, b):
        z = dict(zip(order, np.split(x_t @ W + h @ U + b, 4, axis=1), strict=True))
        gate = {name: np.tanh(z[name]) if name == "c" else sigmoid(z[name]) for name in z} | fixed
        c = gate["f"] * c + gate["i"] * gate["c"]
        return gate["o"] * second_tanh(c), c

    return step


def _port(order=(0, 2, 1, 3), forget_bias=1.0, forget_at=1, h_first=False):
    """Kernels and bias of the 2019 cell (i, candidate, f, o) in Keras's order."""

    def port(joint_kernel, bias, num_features):
        kernel, bias = (np.concatenate([np.split(a, 4, -1)[k] for k in order], -1) for a in (joint_kernel, bias))
        quarter = len(bias) // 4
        bias[forget_at * quarter : (forget_at + 1) * quarter] += forget_bias
        if h_first:
            return kernel[-num_features:], kernel[:-num_features], bias
        return kernel[:num_features], kernel[num_features:], bias

    return port


EXERCISES = {
    "02.1": Exercise(
        right=lambda d, h: 4 * (h * (d + h) + h),
        praise="four gates, each with h × (d + h) weights and h biases",
        wrong={
            "the biases are missing: h for each of the four gates": lambda d, h: 4 * h * (d + h),
            "that is one gate; there are four": lambda d, h: h * (d + h) + h,
            "that counts two biases a gate, as PyTorch keeps them; Keras and this lesson have one": (
                lambda d, h: 4 * (h * (d + h) + 2 * h)
            ),
            "the weights for h(t−1) are missing, h × h a gate": lambda d, h: 4 * (h * d + h),
            "the weights do not depend on the number of rows: all 28 steps share them": (
                lambda d, h: 28 * 4 * (h * (d + h) + h)
            ),
            "that includes the output layer; count the LSTM alone": lambda d, h: 4 * (h * (d + h) + h) + 10 * h + 10,
        },
        inputs=((28, 128), (10, 32), (3, 1)),
        rtol=1e-9,
    ),
    "02.2": Exercise(
        right=_gate(1),
        praise="the second quarter of the weights, through the sigmoid",
        wrong={
            "that is the input gate: in Keras's order i, f, candidate, o the forget gate comes second": _gate(0),
            "that is the candidate's part: f comes third in the order of 2019, but second in Keras's": _gate(2),
            "that is the output gate: in Keras's order i, f, candidate, o the forget gate comes second": _gate(3),
            "tanh makes values from −1 to 1; a valve needs the sigmoid": _gate(1, np.tanh),
            "the bias is forgotten": _gate(1, see_b=0),
            "what the cell said last is forgotten: h with its weights U": _gate(1, see_h=0),
            "that is the sum z; the sigmoid that makes a valve of it is missing": _gate(1, lambda z: z),
            "those are four gates side by side; take the second quarter": _every_gate,
        },
        inputs=(_CELL,),
    ),
    "02.3": Exercise(
        right=_port(),
        praise="the cell of 2019 lives on in a Keras layer",
        wrong={
            "the gates still have the order of 2019, and the forget bias is missing": _port((0, 1, 2, 3), 0),
            "the gates still have the order of 2019: candidate and f must be exchanged": _port((0, 1, 2, 3), 1, 2),
            "the gates still have the order of 2019, and so the forget bias went to the candidate": _port((0, 1, 2, 3)),
            "the forget bias is missing: in 2019 it was added at each step, in Keras it sits in the bias": _port(
                forget_bias=0
            ),
            "the order is right, but the forget bias went to the candidate: it belongs to the second quarter": _port(
                forget_at=2
            ),
            "the joint kernel has the rows of x first and those of h below; yours are exchanged": _port(h_first=True),
        },
        inputs=((*normal((8, 20), (20,)), 3),),
    ),
    "02.4": Exercise(
        right=_step(f=1),
        praise="with f = 1 nothing is lost, and c only adds up",
        wrong={
            "the forget gate still moves: put 1 in its place": _step(),
            "0 is shut: that forgets everything at each row; open is 1": _step(f=0),
            "that freezes the input gate; the forget gate is the one before c": _step(i=1),
            "that freezes the bias, not the gate: open is 1, not sigmoid(1)": _step(f=sigmoid(1)),
            "h and c are exchanged: give back h first": lambda *arguments: _step(f=1)(*arguments)[::-1],
            "c is right, but h is o times the tanh of c": _step(f=1, second_tanh=lambda c: c),
        },
        inputs=(_STEP,),
    ),
    "02.5": Exercise(
        right=_step(),
        praise="the shapes fitted, and only the order of the four parts was wrong",
        bug=_step("iofc"),
        todo="its h and c still differ from those of the LSTM, though every shape fits",
        wrong={
            "i and f are now exchanged: Keras's order is i, f, candidate, o": _step("fico"),
            "that is the order of 2019: Keras's is i, f, candidate, o": _step("icfo"),
            "candidate and o are now exchanged: Keras's order is i, f, candidate, o": _step("ifoc"),
            "the gates are right now, but h and c are exchanged": lambda *arguments: _step()(*arguments)[::-1],
            "the gates are right now, but h is o times the tanh of c": _step(second_tanh=lambda c: c),
        },
        inputs=(_STEP,),
    ),
}
