"""Exercises of notebook 05."""

import numpy as np

from .checker import Exercise
from .examples import random_arrays, sigmoid, softmax

DIGITS, ROWS, UNITS = 3, 28, 6

EVERY_H, EVERY_C, V, A = random_arrays((DIGITS, ROWS, UNITS), (DIGITS, ROWS, UNITS), (UNITS, 10), (10,))

SUMS_I, SUMS_F, SUMS_CANDIDATE = random_arrays((ROWS, UNITS), (ROWS, UNITS), (ROWS, UNITS))


def belief_from_h(index, curve=softmax):
    return lambda h, c, V, a: curve(h[:, index] @ V + a)


def memory(last=14, i_after=0, f_after=None):
    """c after each row; from the row after ``last`` on, counted from 1, the gates are held; None: as they are."""

    def memory(i, f, candidate):
        i, f = i.copy(), f.copy()
        if i_after is not None:
            i[last:] = i_after
        if f_after is not None:
            f[last:] = f_after
        c, rows = np.zeros(i.shape[1]), []
        for t in range(len(i)):
            c = f[t] * c + i[t] * candidate[t]
            rows.append(c)
        return np.array(rows)

    return memory


def reading(*answers):
    """A belief ``[28, 10]`` with these answers: pairs of a digit and the number of rows for which it is given."""
    digits, num_rows = zip(*answers, strict=True)
    answer = np.repeat(digits, num_rows)[:, None]
    confidence = 0.5 + 0.4 * np.sin(np.arange(ROWS)[:, None]) ** 2
    return np.where(np.arange(10) == answer, confidence, (1 - confidence) / 9)


def final_answer_is_given(belief):
    return belief.argmax(axis=1) == belief[-1].argmax()


def decision_row(belief):
    other = np.flatnonzero(~final_answer_is_given(belief))
    if len(other) == 0:
        return 1
    index_of_decision = other[-1] + 1
    return index_of_decision + 1


EXERCISES = {
    "05.1": Exercise(
        right=belief_from_h(13),
        praise="h of row 14 is at index 13, and the output layer makes ten probabilities of it",
        wrong={
            "that is the belief after row 15: row 14 is at index 13": belief_from_h(14),
            "that is made from c; the output layer only ever sees h": (lambda h, c, V, a: softmax(c[:, 13] @ V + a)),
            "those are the logits; softmax makes probabilities of them": belief_from_h(13, curve=lambda z: z),
            "those are the answers; give back the ten probabilities": belief_from_h(
                13, curve=lambda z: z.argmax(axis=-1)
            ),
            "the output layer's bias a is missing": lambda h, c, V, a: softmax(h[:, 13] @ V),
            "that is the belief after the last row": belief_from_h(-1),
        },
        inputs=((EVERY_H, EVERY_C, V, A),),
    ),
    "05.2": Exercise(
        right=memory(),
        praise="after row 14 nothing new is written, and the forget gate goes on wearing the memory down",
        wrong={
            "the input gate still works after row 14: multiply it by 0 from there": memory(i_after=None),
            "the gate is shut one row late: row 15, at index 14, must not be written": memory(last=15),
            "the gate is shut one row early: row 14, at index 13, is still written": memory(last=13),
            "the memory stands still after row 14; but the forget gate goes on working": memory(f_after=1),
            "all rows are the last one: *= and += change the array that was collected before; write c = …": (
                lambda *parts: np.tile(memory()(*parts)[-1], (ROWS, 1))
            ),
            "that is the memory after the last row alone; collect it row by row": lambda *parts: memory()(*parts)[-1],
        },
        inputs=((sigmoid(SUMS_I), sigmoid(SUMS_F), np.tanh(SUMS_CANDIDATE)),),
    ),
    "05.3": Exercise(
        right=decision_row,
        praise="from that row to the last the answer stays, also when it never changed",
        wrong={
            "that is the first row with the final answer, but it is given up again later": (
                lambda belief: final_answer_is_given(belief).argmax() + 1
            ),
            "one too small: rows are counted from 1, so index t is row t + 1": lambda belief: decision_row(belief) - 1,
            "one too large: look at the row after the last other answer, counted from 1": (
                lambda belief: decision_row(belief) + 1
            ),
        },
        inputs=(
            (reading((9, 6), (2, 3), (7, 7), (2, 12)),),
            (reading((1, 28)),),
            (reading((4, 10), (9, 17), (4, 1)),),
        ),
        rtol=1e-9,
    ),
}
