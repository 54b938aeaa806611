"""How an answer to an exercise is judged."""

import copy
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Exercise(NamedTuple):
    """``right``, ``bug`` and the typical ``wrong`` answers are values, or functions to be tried on all ``inputs``.

    A tuple stands for several results, compared one by one; anything else for one array.
    """

    right: object
    praise: str  # what a right answer shows
    wrong: dict  # hint: the wrong answer that calls for it
    inputs: tuple = ()  # tuples of arguments; none for an exercise whose answer is a value
    bug: object = None  # what a "find the bug" begins with
    todo: str = "write your answer in place of the three dots and run the cell again"
    rtol: float = 1e-4


def verdict(exercise, answer):
    todo = f"is not solved yet: {exercise.todo}"
    if answer is ...:
        return todo
    if callable(answer) != bool(exercise.inputs):
        wanted = "the function itself, without brackets behind it" if exercise.inputs else "a value, no function"
        return f"not yet: expected {wanted}, yours is of type {type(answer).__name__}"
    try:
        results = _results(answer, exercise.inputs)
    except Exception as error:
        reason = str(error).strip().split("\n")[0][:200]
        return f"not yet: your function raised {type(error).__name__}: {reason}"
    if any(part is ... for result in results for part in (result if isinstance(result, tuple | list) else [result])):
        return todo
    if any(result is None for result in results):
        return "not yet: your function gives nothing back: does it end with return?"
    difference = _difference(results, exercise, exercise.right)
    if not difference:
        return f"right: {exercise.praise}"
    if exercise.bug and not _difference(results, exercise, exercise.bug):
        return todo
    for hint, wrong in exercise.wrong.items():
        if not _difference(results, exercise, wrong):
            return f"not yet: {hint} ({difference})" if exercise.inputs else f"not yet: {hint}"
    return f"not yet: {difference}"


def _results(answer, inputs):
    if not inputs:
        return [answer]
    results = [answer(*copy.deepcopy(arguments)) for arguments in inputs]
    return [tuple(result) if isinstance(result, Iterator) else result for result in results]


def _difference(results, exercise, other):
    """What first tells ``results`` from those of ``other``: one line, empty if nothing does."""
    for yours, expected in zip(results, _results(other, exercise.inputs), strict=True):
        pairs = [("", yours, expected)]
        if isinstance(expected, tuple):
            number = len(yours) if isinstance(yours, tuple | list) or np.ndim(yours) else 1
            if number != len(expected):
                return f"expected {len(expected)} results, yours {number}"
            pairs = [(f"result {k + 1}: ", yours[k], part) for k, part in enumerate(expected)]
        for place, your_part, part in pairs:
            if difference := _array_difference(your_part, part, exercise.rtol):
                return place + difference
    return ""


def _array_difference(yours, expected, rtol):
    expected = np.asarray(expected, np.float64)
    try:
        yours = np.asarray(yours, np.float64)
    except (TypeError, ValueError):
        return f"expected numbers, yours is of type {type(yours).__name__}"
    if yours.shape != expected.shape:
        return f"expected shape {list(expected.shape)}, yours {list(yours.shape)}"
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=0)
    close = np.isclose(yours, expected, rtol=rtol, atol=0.1 * rtol * scale, equal_nan=True)
    if close.all():
        return ""
    where = tuple(int(k) for k in np.argwhere(~close)[0])
    return f"{f'at {list(where)} ' if where else ''}expected {_text(expected[where])}, yours {_text(yours[where])}"


def _text(number):
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:.6g}"
