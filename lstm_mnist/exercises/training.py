"""Exercises of notebook 03."""

import numpy as np

from .checker import Exercise
from .examples import softmax

_LOGITS = ((np.array([[9, 0, 0], [0, 1, 5], [2, 4, 1], [1, 0, 0]], np.float32), np.array([0, 2, 1, 1])),)


def _label_logits(logits, labels):
    return logits[np.arange(len(labels)), labels]


def _losses(logits, labels):
    return -np.log(_label_logits(softmax(logits), labels))


def _adam(correct=True, inside=False, sign=-1, square=True, keras_form=False, root=np.sqrt, b1=0.9, b2=0.999):
    def step(w, g, m, v, n):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * (g**2 if square else np.abs(g))
        mean, mean_square = (m / (1 - b1**n), v / (1 - b2**n)) if correct else (m, v)
        epsilon = 1e-7 / np.sqrt(1 - b2**n) if keras_form else 1e-7
        below = root(mean_square + epsilon) if inside else root(mean_square) + epsilon
        return w + sign * 0.001 * mean / below, m, v

    return step


_ADAM = tuple(
    (np.array([0.001, -0.002, 0.0, 0.003]), np.array([0.5, -2.0, 1e-6, 0.1]), m, v, n)
    for m, v, n in (
        (np.zeros(4), np.zeros(4), 1),
        (np.array([0.1, 0.2, 1e-6, -0.3]), np.array([0.01, 0.3, 1e-12, 0.02]), 3),
    )
)

_SCORES = (
    (np.array([0.979, 0.982, 0.985, 0.983]), np.array([0.978, 0.986, 0.981, 0.980])),
    (np.array([0.990, 0.970, 0.980, 0.985]), np.array([0.984, 0.971, 0.988, 0.983])),
)

EXERCISES = {
    "03.1": Exercise(
        right=np.log(26),
        praise="ln 26 = 3.258 nats, what a network that knows nothing should begin with",
        wrong={
            "that is the logarithm to base 10; a nat is the natural one": np.log10(26),
            "that is the loss in bits; a nat is the natural logarithm": np.log2(26),
            "the sign: a loss is −ln p, and ln p is negative": -np.log(26),
            "that is the probability p itself; the loss is −ln p": 1 / 26,
            "that is the answer for ten digits; here are 26 letters": np.log(10),
        },
        rtol=1e-3,
    ),
    "03.2": Exercise(
        right=lambda logits, labels: _losses(logits, labels).mean(),
        praise="softmax is applied once, by the loss function, which takes logits",
        bug=lambda logits, labels: _losses(softmax(logits), labels).mean(),
        todo="it still has its bug, and stays far above 0 even for answers that are sure and right",
        wrong={
            "now softmax is missing altogether: logits are no log-probabilities": (
                lambda logits, labels: -_label_logits(logits, labels).mean()
            ),
            "softmax is applied once now, but the losses must be averaged, not summed": (
                lambda logits, labels: _losses(logits, labels).sum()
            ),
            "softmax is applied once now, but the mean over the batch is missing": _losses,
            "the logarithm of the mean is not the mean of the logarithms": (
                lambda logits, labels: -np.log(_label_logits(softmax(logits), labels).mean())
            ),
            "softmax is applied once now, but the sign is wrong: the loss is −ln p": (
                lambda logits, labels: -_losses(logits, labels).mean()
            ),
        },
        inputs=_LOGITS,
    ),
    "03.3": Exercise(
        right=_adam(),
        praise="the same step as in the lesson's formula, in the first step and in the third",
        wrong={
            "the correction is missing: divide m by 1 − 0.9ⁿ and v by 1 − 0.999ⁿ": _adam(correct=False),
            "epsilon belongs behind the root, not inside": _adam(inside=True),
            "the sign: downhill is against the gradient": _adam(sign=1),
            "v is the mean of g², not of g": _adam(square=False),
            "the root over v is missing": _adam(root=lambda v: v),
            "0.9 belongs to m and 0.999 to v; yours are exchanged": _adam(b1=0.999, b2=0.9),
            "almost: that is Keras's short cut, in which epsilon meets the uncorrected root of v": _adam(
                keras_form=True
            ),
        },
        inputs=_ADAM,
    ),
    "03.4": Exercise(
        right=lambda validation, test: (validation.argmax(), test[validation.argmax()]),
        praise="chosen by validation images, reported on test images that had no say",
        bug=lambda validation, test: (test.argmax(), test.max()),
        todo="the number it reports is still too good to be true: which images had a say in the choice?",
        wrong={
            "chosen well, but report the test accuracy: the validation images have been used for choosing": (
                lambda validation, test: (validation.argmax(), validation.max())
            ),
            "chosen by the mean of both: then the test images still have a say": (
                lambda validation, test: ((validation + test).argmax(), test[(validation + test).argmax()])
            ),
            "chosen well, but the accuracy is that of another network, the luckiest on the test images": (
                lambda validation, test: (validation.argmax(), test.max())
            ),
            "that chooses the worst: argmin finds the smallest accuracy": (
                lambda validation, test: (validation.argmin(), test[validation.argmin()])
            ),
        },
        inputs=_SCORES,
    ),
}
