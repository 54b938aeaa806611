"""How an answer to an exercise is judged."""

import copy
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from . import differences
from .differences import same_result

RIGHT, OPEN, WRONG = "right", "is not solved yet", "not yet"


class Exercise(NamedTuple):
    """What an exercise asks for, and the wrong answers that people give.

    ``right``, ``bug`` and the answers in ``wrong`` are values, or functions to be tried on all ``inputs``.
    A function with several ``results`` gives them back as a tuple.
    """

    right: object
    praise: str  # what a right answer shows
    wrong: dict  # what is said: the wrong answer to which it is said
    hint: str = ""  # what helps after a second wrong value
    inputs: tuple = ()  # tuples of arguments; none for an exercise whose answer is a value
    results: tuple = ()  # the names of a function's results, if it has several
    bug: object = None  # what a "find the bug" begins with
    todo: str = "write your answer in place of the three dots and run the cell again"
    rtol: float = 1e-4


class Verdict(NamedTuple):
    standing: str  # RIGHT, OPEN or WRONG
    reason: str


def judge(exercise, answer, first_try=True):
    """The ``Verdict`` on ``answer``: at the ``first_try`` it tells what kind of thing is off, later it helps more."""
    if answer is ...:
        return Verdict(OPEN, exercise.todo)
    if exercise.inputs and not callable(answer):
        kind = type(answer).__name__
        return Verdict(WRONG, f"expected the function itself, without brackets behind it, yours is of type {kind}")
    if callable(answer) and not exercise.inputs:
        return Verdict(WRONG, "expected a value, yours is a function")
    try:
        results = results_of(answer, exercise)
    except (Exception, SystemExit) as error:
        if "'ellipsis'" in str(error):
            return Verdict(OPEN, exercise.todo)
        return Verdict(WRONG, f"your function raised {differences.of_error(error)}")
    if any(holds_dots(result) for result in results):
        return Verdict(OPEN, exercise.todo)
    return compare(exercise, results, first_try)


def results_of(answer, exercise):
    """What ``answer`` gives for each of the inputs; the value itself if there are none."""
    if not exercise.inputs:
        return [answer]
    results = []
    for arguments in exercise.inputs:
        result = answer(*copy.deepcopy(arguments))
        if isinstance(result, Iterator):
            result = tuple(result)
        results.append(result)
    return results


def holds_dots(result):
    if isinstance(result, tuple | list):
        return any(part is ... for part in result)
    return result is ...


def compare(exercise, results, first_try):
    """The ``Verdict`` on what an answer gives, held to the right answer, the bug and the wrong answers."""

    def same_as(other):
        with np.errstate(all="ignore"):
            others = results_of(other, exercise)
        return all(same_result(*pair, exercise.rtol) for pair in zip(results, others, strict=True))

    if same_as(exercise.right):
        return Verdict(RIGHT, exercise.praise)
    if exercise.bug is not None and same_as(exercise.bug):
        return Verdict(OPEN, exercise.todo)
    for hint, wrong in exercise.wrong.items():
        if same_as(wrong):
            return Verdict(WRONG, hint)
    if not exercise.inputs:
        return Verdict(WRONG, differences.of_value(results[0], exercise, first_try))
    expected = results_of(exercise.right, exercise)
    return Verdict(WRONG, differences.of_results(results, expected, exercise, first_try))
