"""Exercises of notebook 03."""

import numpy as np

from .checker import Exercise
from .examples import softmax

LOGITS = np.array([[9, 0, 0], [0, 1, 5], [2, 4, 1], [1, 0, 0], [3, 3, 5]], np.float32)
LABELS = np.array([0, 2, 1, 1, 0])


def of_labels(values, labels):
    """The value of each image's label, ``[batch]`` from ``[batch, classes]``."""
    return values[np.arange(len(labels)), labels]


def losses(logits, labels):
    return -np.log(of_labels(softmax(logits), labels))


def losses_without_from_logits(logits, labels):
    """Keras's cross-entropy of what it takes for probabilities: they are clipped, then made to add up to 1."""
    clipped = np.clip(logits, 1e-7, 1 - 1e-7)
    return -np.log(of_labels(clipped, labels) / clipped.sum(axis=1))


def adam(mean_correction=True, square_correction=True, form="Keras", square=np.square, rate=0.001, betas=(0.9, 0.999)):
    """A step of Adam. ``form`` says where ε is added: in ``'Keras'`` to the root of v, in the ``'paper'`` to the root
    of the corrected v, and wrongly ``'inside'`` the root, or ``'nowhere'``.
    """
    b1, b2 = betas

    def step(w, g, m, v, n):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * square(g)
        m_correction = 1 - b1**n if mean_correction else 1
        v_correction = 1 - b2**n if square_correction else 1
        below = {
            "Keras": np.sqrt(v) + 1e-7,
            "paper": np.sqrt(v) + 1e-7 * np.sqrt(v_correction),
            "inside": np.sqrt(v + 1e-7),
            "nowhere": np.sqrt(v),
        }
        return w - rate * np.sqrt(v_correction) / m_correction * m / below[form], m, v

    return step


def adam_counting_from_0(w, g, m, v, n):
    return adam()(w, g, m, v, n + 1)


def adam_returning_corrected(w, g, m, v, n):
    w, m, v = adam()(w, g, m, v, n)
    return w, m / (1 - 0.9**n), v / (1 - 0.999**n)


WEIGHTS = np.array([0.001, -0.002, 0.0, 0.003, -0.001])
GRADIENTS = np.array([0.5, -2.0, 1e-6, 0.1, -0.3])
MEANS = np.array([0.1, 0.2, 1e-6, -0.3, 0.5])
SQUARES = np.array([0.01, 0.3, 1e-12, 0.02, 0.3])
NOTHING = np.zeros(5)

VALIDATION = np.array([0.979, 0.982, 0.985, 0.983, 0.974])
TEST = np.array([0.978, 0.986, 0.981, 0.980, 0.975])
OTHER_VALIDATION = np.array([0.990, 0.970, 0.980, 0.985, 0.975])
OTHER_TEST = np.array([0.984, 0.971, 0.988, 0.983, 0.973])


EXERCISES = {
    "03.1": Exercise(
        right=np.log(26),
        praise="ln 26 = 3.258 nats, what a network that knows nothing should begin with",
        wrong={
            "that is the logarithm to base 10; a nat is the natural one": np.log10(26),
            "that is the loss in bits; a nat is the natural logarithm": np.log2(26),
            "the sign: a loss is −ln p, and ln p is negative": -np.log(26),
            "that is the probability p itself; the loss is −ln p": 1 / 26,
            "that is the answer for ten digits; here are letters": np.log(10),
            "that is rounded too much; give three decimals": 3.3,
        },
        hint="put the one probability that all letters have into −ln p",
        rtol=1e-3,
    ),
    "03.2": Exercise(
        right=lambda logits, labels: losses(logits, labels).mean(),
        praise="softmax is applied once, by the loss function, which takes logits",
        bug=lambda logits, labels: losses(softmax(logits), labels).mean(),
        todo="it still has its bug, and stays far above 0 even for answers that are sure and right",
        wrong={
            "now softmax is missing altogether: logits are no log-probabilities": (
                lambda logits, labels: -of_labels(logits, labels).mean()
            ),
            "Keras's function takes probabilities unless it is told from_logits=True": (
                lambda logits, labels: losses_without_from_logits(logits, labels).mean()
            ),
            "Keras's function takes probabilities unless it is told from_logits=True; the mean is missing, too": (
                losses_without_from_logits
            ),
            "softmax is applied once now, but the mean over the batch is missing": losses,
            "softmax must run over the classes, the last axis, not over the batch": (
                lambda logits, labels: -np.log(of_labels(softmax(logits, axis=0), labels)).mean()
            ),
        },
        inputs=((LOGITS, LABELS),),
    ),
    "03.3": Exercise(
        right=adam(),
        praise="the same step as in the lesson's formula, in the first step and in the third",
        wrong={
            "both corrections are missing: their factors belong to the step size": adam(
                mean_correction=False, square_correction=False
            ),
            "the correction for v is missing: √(1 − 0.999ⁿ) belongs to the step size": adam(square_correction=False),
            "the correction for m is missing: the step size is divided by 1 − 0.9ⁿ": adam(mean_correction=False),
            "almost: that is the paper's form, where ε meets the root of the corrected v; Keras adds it to √v as it is "
            "and puts both corrections into the step size": adam(form="paper"),
            "ε belongs behind the root, not inside": adam(form="inside"),
            "ε is missing: without it a gradient of almost 0 makes a whole step": adam(form="nowhere"),
            "the sign: downhill is against the gradient": adam(rate=-0.001),
            "v is the mean of g², not of g": adam(square=lambda g: g),
            "0.9 belongs to m and 0.999 to v; yours are exchanged": adam(betas=(0.999, 0.9)),
            "n counts from 1 already: add nothing to it": adam_counting_from_0,
            "w is right; of m and v the uncorrected ones come back, for the next step": adam_returning_corrected,
        },
        inputs=((WEIGHTS, GRADIENTS, NOTHING, NOTHING, 1), (WEIGHTS, GRADIENTS, MEANS, SQUARES, 3)),
        results=("new w", "new m", "new v"),
    ),
    "03.4": Exercise(
        right=lambda validation, test: (validation.argmax(), test[validation.argmax()]),
        praise="chosen by validation images, reported on test images that had no say",
        bug=lambda validation, test: (test.argmax(), test.max()),
        todo="the number it reports is still too good to be true: which images had a say in the choice?",
        wrong={
            "the wrong half is mended: the test images still choose, and now the validation images report": (
                lambda validation, test: (test.argmax(), validation[test.argmax()])
            ),
            "chosen well, but report the test accuracy: the validation images have been used for choosing": (
                lambda validation, test: (validation.argmax(), validation.max())
            ),
            "that is the index alone; the accuracy that we report is missing": (
                lambda validation, test: validation.argmax()
            ),
            "the two are exchanged: the index comes first": (
                lambda validation, test: (test[validation.argmax()], validation.argmax())
            ),
        },
        inputs=((VALIDATION, TEST), (OTHER_VALIDATION, OTHER_TEST)),
        results=("index", "accuracy"),
    ),
}
