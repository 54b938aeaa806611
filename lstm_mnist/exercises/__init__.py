"""The checks of the exercises in notebooks 01 to 06: ``check("01.1", answer)`` says how an answer stands."""

from . import data, drawing, evaluation, inside, lstm, training
from .checker import Exercise, verdict

__all__ = ["EXERCISES", "Exercise", "check"]

EXERCISES = {
    name: exercise
    for lesson in (data, lstm, training, evaluation, inside, drawing)
    for name, exercise in lesson.EXERCISES.items()
}


def check(name, answer):
    """Print one line: exercise ``name`` is right, what differs, or that it is not solved yet.

    ``answer`` is a value, or a function to be called on small examples; what it raises is told, not raised.
    Raises ``ValueError`` for a ``name`` that no exercise has.
    """
    if str(name) not in EXERCISES:
        raise ValueError(f"no exercise is named {name!r}: use one of {', '.join(EXERCISES)}")
    print(name, verdict(EXERCISES[str(name)], answer))
