"""The checks of the exercises in notebooks 01 to 06: ``check("01.1", answer)`` says how an answer stands."""

from collections import Counter

from . import data, drawing, evaluation, inside, lstm, training
from .checker import WRONG, Exercise, judge

__all__ = ["EXERCISES", "WRONG_TRIES", "Exercise", "check"]

LESSONS = (data, lstm, training, evaluation, inside, drawing)
EXERCISES = {name: exercise for lesson in LESSONS for name, exercise in lesson.EXERCISES.items()}
WRONG_TRIES = Counter()  # exercise: how many of its answers were wrong since Python was started


def check(name, answer):
    """Print one line: exercise ``name`` is right, is not solved yet, or what is wrong with ``answer``.

    ``answer`` is a value, or a function, which is called on small examples; an error in it is told, not raised.
    Raises ``ValueError`` for a ``name`` that no exercise has.
    """
    name = str(name)
    if name not in EXERCISES:
        raise ValueError(f"no exercise is named {name!r}: use one of {', '.join(EXERCISES)}")
    verdict = judge(EXERCISES[name], answer, first_try=WRONG_TRIES[name] == 0)
    if verdict.standing == WRONG:
        WRONG_TRIES[name] += 1
    print(f"{name} {verdict.standing}: {verdict.reason}")
