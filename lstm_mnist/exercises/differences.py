"""In what an answer differs from the right one, in words that do not give the right one away."""

import re

import numpy as np

REMEDIES = {  # words of an error: what it means in these exercises; {} stands for the words
    "Number of ways to split|does not result in an equal division": (
        "this axis cannot be cut into so many parts: name the axis, as in tf.split(z, 4, axis=1)"
    ),
    "int32 is not in the list of allowed values": (
        "TensorFlow's curves take decimal numbers: write 1.0 for 1, or leave the curve out"
    ),
    "Matrix size-incompatible|mismatch in its core dimension": (
        "this product @ does not fit: the left factor needs as many columns as the right one has rows"
    ),
    "Incompatible shapes|could not be broadcast": (
        "these two shapes do not fit for + or *, number by number; a matrix product is written @"
    ),
    r"expected to be a \w+ tensor but is a \w+ tensor": "TensorFlow mixes no types: {}",
    "no attribute 'numpy'": "these are NumPy arrays already: leave .numpy() out",
    r"name '\w+' is not defined": "{}: run the cells above first, or see how it is spelled there",
}


def of_error(error):
    """One line on what the reader's function raised."""
    kind, message = type(error).__name__, str(error)
    for words, remedy in REMEDIES.items():
        found = re.search(words, message)
        if found:
            return f"{kind}: {remedy.format(found[0])}"
    without_names_of_operations = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", message)
    first_line = without_names_of_operations.strip().split("\n")[0]
    return f"{kind}: {first_line[:200]}"


def same_result(yours, other, rtol):
    """Whether two results agree: part by part where ``other`` is a tuple, else as one array."""
    if not isinstance(other, tuple):
        return same_numbers(yours, other, rtol)
    parts = parts_of(yours)
    return len(parts) == len(other) and all(same_numbers(*pair, rtol) for pair in zip(parts, other, strict=True))


def parts_of(result):
    """The several results of a function; an array is cut along its first axis."""
    if isinstance(result, tuple | list):
        return list(result)
    numbers = as_numbers(result)
    if numbers is None or numbers.ndim == 0:
        return [result]
    return list(numbers)


def same_numbers(yours, other, rtol):
    yours, other = as_numbers(yours), as_numbers(other)
    if yours is None or yours.shape != other.shape:
        return False
    return bool(close(yours, other, rtol).all())


def as_numbers(value):
    """``value`` as a float64 array, or None if it holds anything but numbers."""
    try:
        if np.asarray(value).dtype.kind in "US":
            return None
        return np.asarray(value, np.float64)
    except (TypeError, ValueError, NotImplementedError):
        return None


def close(yours, other, rtol):
    """Where two arrays of one shape agree; a number near 0 is held to the largest of its array."""
    largest = np.abs(other[np.isfinite(other)]).max(initial=0)
    return np.isclose(yours, other, rtol=rtol, atol=0.1 * rtol * largest, equal_nan=True)


def of_value(answer, exercise, first_try):
    """What is wrong with a value: its kind or its size, and after the first try a hint."""
    expected = np.asarray(exercise.right, np.float64)
    wrong_kind = of_kind(answer, expected)
    if wrong_kind:
        return wrong_kind
    reason = f"yours is {of_size(as_numbers(answer), expected, exercise.rtol)}"
    if first_try:
        return reason
    return f"{reason}; {exercise.hint}"


def of_kind(answer, expected):
    """What is wrong with a value of another kind than the one expected; empty if the kind is right."""
    a_shape_is_asked_for = expected.ndim == 1
    numbers = as_numbers(answer)
    if answer is None:
        return "yours is None: print shows a value, but it gives nothing back"
    if isinstance(answer, str):
        return "yours is a text: leave the quotation marks out"
    if a_shape_is_asked_for and any(num_axes(part) > 0 for part in parts_of(answer)):
        return "yours holds whole arrays, but only a shape is asked for"
    if numbers is None:
        return f"expected numbers, yours is of type {type(answer).__name__}"
    if a_shape_is_asked_for and numbers.shape != expected.shape:
        return f"a shape has one number for each axis; are there {numbers.size}?"
    if isinstance(answer, tuple) and not a_shape_is_asked_for:
        return "a comma makes several numbers of one: decimals take a point in Python, thousands no comma"
    if numbers.shape != expected.shape:
        return f"expected one number, yours is an array of shape {list(numbers.shape)}"
    return ""


def num_axes(value):
    numbers = as_numbers(value)
    return 0 if numbers is None else numbers.ndim


def of_size(yours, expected, rtol):
    """How far numbers of the right shape are off, without the right ones."""
    if yours.ndim > 0:
        wrong = ~close(yours, expected, rtol)
        return f"of the right size, but not right yet (wrong numbers: {wrong.sum()} of {wrong.size})"
    if not np.isfinite(yours):
        return f"{yours}, which is no number"
    if yours * expected < 0:
        return "of the wrong sign"
    way = "large" if abs(yours) > abs(expected) else "small"
    smaller, larger = sorted((abs(yours), abs(expected)))
    if larger > 10 * smaller:
        return f"far too {way}, by more than ten times"
    if larger > 2 * smaller:
        return f"too {way}, by more than twice"
    return f"a little too {way}"


def of_results(results, expected_results, exercise, first_try):
    """What is wrong with the first result that is: its kind, shape or size, and after the first try an example."""
    for arguments, yours, expected in zip(exercise.inputs, results, expected_results, strict=True):
        if not same_result(yours, expected, exercise.rtol):
            return of_result(arguments, yours, expected, exercise, first_try)
    return ""


def of_result(arguments, yours, expected, exercise, first_try):
    if yours is None:
        return "your function gives nothing back: does it end with return?"
    if not exercise.results:
        return of_numbers("your result", arguments, yours, expected, exercise.rtol, first_try)
    parts = parts_of(yours)
    if len(parts) != len(expected):
        return f"expected {len(expected)} results ({', '.join(exercise.results)}), yours {described(yours)}"
    for name, part, expected_part in zip(exercise.results, parts, expected, strict=True):
        if not same_numbers(part, expected_part, exercise.rtol):
            return of_numbers(f"your {name}", arguments, part, expected_part, exercise.rtol, first_try)
    return ""


def described(result):
    if isinstance(result, tuple | list):
        return f"{len(result)}"
    numbers = as_numbers(result)
    if numbers is None:
        return f"one of type {type(result).__name__}"
    return f"one of shape {list(numbers.shape)}"


def of_numbers(name, arguments, yours, expected, rtol, first_try):
    yours_type = type(yours).__name__
    yours, expected = as_numbers(yours), as_numbers(expected)
    if yours is None:
        return f"{name} is of type {yours_type}, expected numbers"
    if yours.shape != expected.shape and expected.ndim == 0:
        return f"{name} has shape {list(yours.shape)}, expected one number"
    if yours.shape != expected.shape:
        return f"{name} has shape {list(yours.shape)}, expected {list(expected.shape)}"
    reason = f"{name} is {of_size(yours, expected, rtol)}"
    if first_try:
        return reason
    index = tuple(int(k) for k in np.argwhere(~close(yours, expected, rtol))[0])
    return f"{reason}; {where(arguments, index)}expected {text(expected[index])}, yours {text(yours[index])}"


def where(arguments, index):
    """For which arguments, if they are numbers, or at which index of the result."""
    if index:
        return f"at index {list(index)} "
    if all(isinstance(argument, int | float) for argument in arguments):
        return f"for {', '.join(map(str, arguments))} "
    return ""


def text(number):
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:.6g}"
