"""Exercises of notebook 05."""

import numpy as np

from .checker import Exercise
from .examples import normal, sigmoid, softmax

_STATES = normal((4, 28, 6), (4, 28, 6), (6, 10), (10,))


def _belief(row=13, take="h", curve=softmax):
    return lambda h, c, V, a: curve((h if take == "h" else c)[:, row] @ V + a)


_OPENINGS = ((*map(sigmoid, normal((28, 5), (28, 5))), np.tanh(normal((28, 5), seed=1)[0])),)


def _memory(last=14, shut="i"):
    """c after each row, with the gate named in ``shut`` at 0 after row ``last``; ``'both'``: nothing moves any more."""

    def memory(i, f, candidate):
        c, rows = np.zeros(i.shape[1]), []
        for t in range(len(i)):
            i_t, f_t = i[t] * (t < last or shut == "f"), f[t] * (t < last or shut != "f")
            c = c if shut == "both" and t >= last else f_t * c + i_t * candidate[t]
            rows.append(c)
        return np.array(rows)

    return memory


def _reading(answers):
    """A belief [28, 10] whose answers come in this order, as pairs of digit and number of rows."""
    digits = np.repeat([digit for digit, _ in answers], [rows for _, rows in answers])
    sure = 0.5 + 0.4 * np.sin(np.arange(28)[:, None]) ** 2
    return np.where(np.arange(10) == digits[:, None], sure, (1 - sure) / 9)


_READINGS = tuple(
    (_reading(answers),) for answers in ([(9, 6), (2, 3), (7, 7), (2, 12)], [(1, 28)], [(4, 10), (9, 17), (4, 1)])
)


def _decision_row(belief):
    answers = belief.argmax(axis=1)
    return max((t + 2 for t in range(28) if answers[t] != answers[-1]), default=1)


EXERCISES = {
    "05.1": Exercise(
        right=_belief(),
        praise="h of row 14 is at index 13, and the output layer makes ten probabilities of it",
        wrong={
            "that is the belief after row 15: row 14 is at index 13": _belief(row=14),
            "that is made from c; the output layer only ever sees h": _belief(take="c"),
            "that is made from c, and after row 15: take h, at index 13": _belief(row=14, take="c"),
            "those are the logits; softmax makes probabilities of them": _belief(curve=lambda z: z),
            "softmax must run over the ten digits, the last axis, not over the images": _belief(
                curve=lambda z: softmax(z, axis=0)
            ),
            "that is the belief after the last row": _belief(row=-1),
        },
        inputs=(_STATES,),
    ),
    "05.2": Exercise(
        right=_memory(),
        praise="after row 14 nothing new is written, and the forget gate goes on wearing the memory down",
        wrong={
            "the input gate still works after row 14: multiply it by 0 from there": _memory(last=28),
            "the gate is shut one row late: row 15, at index 14, must not be written": _memory(last=15),
            "the gate is shut one row early: row 14, at index 13, is still written": _memory(last=13),
            "that shuts the forget gate, which wipes the memory; the input gate is the one before the candidate": (
                _memory(shut="f")
            ),
            "the memory stands still after row 14; but the forget gate goes on working": _memory(shut="both"),
        },
        inputs=_OPENINGS,
    ),
    "05.3": Exercise(
        right=_decision_row,
        praise="from that row to the last the answer stays, also when it never changed",
        wrong={
            "that is the first row with the final answer, but it is given up again later": (
                lambda belief: int((belief.argmax(axis=1) == belief[-1].argmax()).argmax()) + 1
            ),
            "one too small: rows are counted from 1, so index t is row t + 1": lambda belief: _decision_row(belief) - 1,
            "one too large: look at the row after the last other answer, counted from 1": (
                lambda belief: _decision_row(belief) + 1
            ),
            "that is the row where the belief is surest": lambda belief: int(belief.max(axis=1).argmax()) + 1,
            "that is how often the final answer is given; where does its last stretch begin?": (
                lambda belief: int((belief.argmax(axis=1) == belief[-1].argmax()).sum())
            ),
        },
        inputs=_READINGS,
        rtol=1e-9,
    ),
}
