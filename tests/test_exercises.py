"""Each exercise: its skeleton in the lesson, its solution, its wrong answers, and what is said of any other answer."""

import contextlib
import io
import math
import re
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest
import tensorflow as tf

from lstm_mnist import exercises, lstm
from lstm_mnist.exercises import EXERCISES, check, checker, examples

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
LESSONS = {path.name: path for path in sorted(NOTEBOOKS.glob("0[1-6]_*.ipynb"))}
SOLUTIONS = {path.name: path for path in sorted((NOTEBOOKS / "solutions").glob("*.ipynb"))}
HEADING = re.compile(r"### Exercise (\d\d\.\d) (★{1,3}) \S.*")

WRONG_ANSWERS = [
    pytest.param(name, hint, id=f"{name}-{k}")
    for name, exercise in EXERCISES.items()
    for k, hint in enumerate(exercise.wrong)
]
VALUES = [name for name, exercise in EXERCISES.items() if not exercise.inputs]
FUNCTIONS = [name for name, exercise in EXERCISES.items() if exercise.inputs]

each_exercise = pytest.mark.parametrize("name", EXERCISES)


@pytest.fixture(autouse=True)
def nothing_tried_yet():
    exercises.WRONG_TRIES.clear()


def told(name, answer, first_try=True):
    """What a reader is told of a wrong answer."""
    verdict = checker.judge(EXERCISES[name], answer, first_try)
    assert verdict.standing == "not yet"
    assert "\n" not in verdict.reason
    return verdict.reason


def standing(name, answer):
    return checker.judge(EXERCISES[name], answer).standing


# ---- the wrong answers that an exercise knows


@pytest.mark.filterwarnings("ignore:invalid value encountered in sqrt")
@pytest.mark.parametrize(("name", "hint"), WRONG_ANSWERS)
def test_a_typical_wrong_answer_gets_its_own_hint(name, hint):
    assert told(name, EXERCISES[name].wrong[hint]) == hint


@each_exercise
def test_the_right_answer_is_right(name):
    assert standing(name, EXERCISES[name].right) == "right"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_two_sizes_of_the_examples_can_be_taken_for_one_another(name):
    square = {(28, 28), (10, 10), (280, 280)}  # images and the confusion matrix are what they are
    exercise = EXERCISES[name]
    for arguments in exercise.inputs:
        for shape in map(np.shape, arguments):
            assert shape[-2:] in square or len(set(shape)) == len(shape)
            assert len(exercise.results) not in shape


def test_the_step_of_the_exercises_is_that_of_the_layer():
    z, c = examples.random_arrays((3, 20), (3, 5))
    for ours, theirs in zip(examples.lstm_step(z, c), lstm.lstm_step(z, c), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_step_of_adam_is_that_of_keras():
    for w, g, m, v, n in EXERCISES["03.3"].inputs:
        optimizer = keras.optimizers.Adam(0.001)
        variable = keras.Variable(w, dtype="float64")
        optimizer.build([variable])
        optimizer.iterations.assign(n - 1)
        kept = {"momentum": m, "velocity": v}
        for state in optimizer.variables:
            for word, value in kept.items():
                if word in state.path:
                    state.assign(value)
        optimizer.apply([tf.constant(g)])
        new_w, _, _ = EXERCISES["03.3"].right(w, g, m, v, n)
        np.testing.assert_allclose(variable - w, new_w - w, rtol=1e-4)


def test_the_ported_cell_computes_what_the_cell_of_2019_did():
    joint_kernel, bias, x_t, h, c = examples.random_arrays((9, 20), (20,), (3, 4), (3, 5), (3, 5))
    i, candidate, f, o = tf.split(np.concatenate([x_t, h], axis=1) @ joint_kernel + bias, 4, axis=1)
    new_c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(candidate)
    cell = keras.layers.LSTMCell(5)
    cell.build((None, 4))
    cell.set_weights(EXERCISES["02.3"].right(joint_kernel, bias, 4))
    _, (keras_h, keras_c) = cell(tf.constant(x_t), [tf.constant(h), tf.constant(c)])
    np.testing.assert_allclose(keras_c, new_c, atol=1e-5)
    np.testing.assert_allclose(keras_h, tf.sigmoid(o) * tf.tanh(new_c), atol=1e-5)


def test_the_loss_without_from_logits_is_that_of_keras():
    loss = keras.losses.SparseCategoricalCrossentropy()
    assert "from_logits=True" in told("03.2", lambda logits, labels: loss(labels, logits))


# ---- any other answer


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_never_given_away(name):
    exercise = EXERCISES[name]
    for factor in (1.37, 0.37, 0.01, -1.37):
        unknown = np.multiply(factor, exercise.right).tolist()
        first, second = told(name, unknown), told(name, unknown, first_try=False)
        assert second == f"{first}; {exercise.hint}"
        for number in np.atleast_1d(exercise.right):
            assert f"{number:.4g}" not in second.replace(",", "")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (3.2, "a little too small"),
        (1.5, "too small, by more than twice"),
        (40, "far too large, by more than ten times"),
        (-3.1, "of the wrong sign"),
        (np.nan, "nan, which is no number"),
    ],
)
def test_the_first_try_tells_how_far_off_a_value_is(answer, words):
    assert told("03.1", answer) == f"yours is {words}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_example_is_shown_from_the_second_try_on(name):
    exercise = EXERCISES[name]

    def a_little_more(*arguments):
        result = exercise.right(*arguments)
        if exercise.results:
            return tuple(1.05 * part for part in result)
        return 1.05 * result

    assert "expected" not in told(name, a_little_more)
    assert re.search(r"expected \S+, yours \S+$", told(name, a_little_more, first_try=False))


def test_an_example_names_what_it_is_an_example_of():
    too_many = EXERCISES["02.1"].right(28, 129)
    assert f"for 28, 128 expected 80,384, yours {too_many:,}" in told("02.1", lambda d, h: too_many, first_try=False)
    assert "at index [0, 0] expected" in told("02.2", lambda *cell: np.zeros((3, 5)), first_try=False)


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("01.1", np.zeros((64, 28, 28)), "only a shape is asked for"),
        ("01.1", (np.zeros((64, 28, 28)), np.zeros(64)), "only a shape is asked for"),
        ("01.1", None, "print shows a value, but it gives nothing back"),
        ("01.1", "(64, 28, 28)", "leave the quotation marks out"),
        ("01.1", (64, 28), "one number for each axis; are there 2?"),
        ("01.1", {64, 28}, "yours is of type set"),
        ("01.1", lambda: (64, 28, 28), "expected a value, yours is a function"),
        ("01.4", (6, 875), "thousands no comma"),
        ("03.1", (3, 258), "decimals take a point"),
        ("03.1", [3.258], "expected one number"),
        ("03.1", "3.258", "leave the quotation marks out"),
        ("01.2", np.zeros((20, 14, 28)), "without brackets"),
        ("01.2", lambda images: None, "does it end with return?"),
        ("01.2", lambda images: images[:, :3], "your result has shape [20, 3, 28], expected [20, 14, 28]"),
        ("02.1", lambda d, h: [4 * h * (d + h + 1)], "your result has shape [1], expected one number"),
        ("02.4", lambda x_t, h, c, W, U, b: c, "expected 2 results (h, c), yours one of shape [3, 5]"),
        ("02.4", lambda x_t, h, c, W, U, b: (h, h, c), "expected 2 results (h, c), yours 3"),
        ("02.4", lambda x_t, h, c, W, U, b: {"h": h}, "yours one of type dict"),
        ("03.3", lambda w, g, m, v, n: (w, None, v), "your new w is of the right size"),
        ("04.3", lambda matrix, digit: "90 %", "your result is of type str, expected numbers"),
    ],
)
def test_another_kind_of_answer_is_told_what_kind_it_is(name, answer, words):
    assert words in told(name, answer)


def split_without_axis(x_t, h, W, U, b):
    return tf.sigmoid(tf.split(x_t @ W + h @ U + b, 4)[1])


def whole_number_for_a_gate(x_t, h, c, W, U, b):
    i, f, candidate, o = tf.split(x_t @ W + h @ U + b, 4, axis=1)
    f = 1
    i, f, o = tf.sigmoid(i), tf.sigmoid(f), tf.sigmoid(o)
    c = f * c + i * tf.tanh(candidate)
    return o * tf.tanh(c), c


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("02.2", split_without_axis, "name the axis"),
        ("02.2", lambda x_t, h, W, U, b: np.split(x_t @ W, 4), "name the axis"),
        ("02.4", whole_number_for_a_gate, "write 1.0 for 1"),
        ("02.2", lambda x_t, h, W, U, b: W @ x_t, "this product @ does not fit"),
        ("02.2", lambda x_t, h, W, U, b: tf.matmul(W, x_t), "this product @ does not fit"),
        ("02.2", lambda x_t, h, W, U, b: x_t * W, "a matrix product is written @"),
        ("02.2", lambda x_t, h, W, U, b: tf.multiply(x_t, W), "a matrix product is written @"),
        ("02.2", lambda x_t, h, W, U, b: tf.constant(h) + tf.zeros((3, 5), tf.float64), "mixes no types"),
        ("02.2", lambda x_t, h, W, U, b: h.numpy(), "leave .numpy() out"),
        ("05.1", lambda h, c, V, a: a_misspelt_name(h), "name 'a_misspelt_name' is not defined: run the cells above"),  # noqa: F821
        ("01.2", lambda images: images[:, :, :, :14], "IndexError: too many indices"),
        ("02.2", lambda x_t, h: h, "takes 2 positional arguments but 5 were given"),
        ("03.2", lambda logits, labels: tf.nn.softmax_cross_entropy_with_logits(labels, logits), "labels_size=[1,5]"),
    ],
)
def test_an_error_in_the_readers_function_becomes_one_line(name, answer, words):
    line = told(name, answer)
    assert line.startswith("your function raised ")
    assert words in line
    assert "function_node" not in line
    assert "[Op:" not in line


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("01.1", np.array([64, 28, 28])),
        ("01.1", tf.TensorShape([64, 28, 28])),
        ("01.3", lambda images: (image.T for image in images)),
        ("01.3", lambda images: tf.transpose(images, [0, 2, 1])),
        ("01.4", 6875.0),
        ("02.4", lambda *cell: np.stack(EXERCISES["02.4"].right(*cell))),
        ("02.4", lambda *cell: list(EXERCISES["02.4"].right(*cell))),
        ("03.1", tf.math.log(26.0)),
        ("04.2", lambda p1, p2: np.ceil(EXERCISES["04.2"].right(p1, p2))),
    ],
)
def test_a_right_answer_may_be_written_in_other_ways(name, answer):
    assert standing(name, answer) == "right"


@each_exercise
def test_no_answer_makes_the_check_fail(name):
    odd = [None, "words", {}, object(), [], [[1], [1, [2]]], 1j, np.zeros((3, 3)), np.nan, check, lambda: 1]
    functions = [lambda *arguments, value=value: value for value in odd]
    for answer in odd + functions:
        for first_try in (True, False):
            told(name, answer, first_try)


@each_exercise
def test_three_dots_are_unsolved(name):
    skeletons = [...]
    if EXERCISES[name].inputs:
        skeletons += [lambda *arguments: ..., lambda *arguments: (..., 1), lambda *arguments: 2 * ...]
    for skeleton in skeletons:
        assert standing(name, skeleton) == "is not solved yet"


def test_the_readers_function_cannot_spoil_the_examples():
    def careless(images):
        result = images[:, :14].copy()
        images[:] = 0
        return result

    assert standing("01.2", careless) == standing("01.2", careless) == "right"


# ---- check itself


def test_check_prints_one_line_and_counts_wrong_answers_only(capsys):
    for answer in (..., 3, ..., 3, np.log(26)):
        check("03.1", answer)
    todo, hint = EXERCISES["03.1"].todo, EXERCISES["03.1"].hint
    assert capsys.readouterr().out.splitlines() == [
        f"03.1 is not solved yet: {todo}",
        "03.1 not yet: yours is a little too small",
        f"03.1 is not solved yet: {todo}",
        f"03.1 not yet: yours is a little too small; {hint}",
        f"03.1 right: {EXERCISES['03.1'].praise}",
    ]


def test_one_exercise_does_not_count_for_another(capsys):
    check("03.1", 3)
    check("04.1", 3)
    assert EXERCISES["04.1"].hint not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["9.9", "01.1 ", 1.1, None, [], "02"])
def test_an_unknown_exercise_is_an_error(name):
    with pytest.raises(ValueError, match=r"no exercise is named .*use one of 01\.1, 01\.2, "):
        check(name, 1)


# ---- lessons and solutions


def exercise_cells(path):
    """Name of an exercise: its heading and its cells, up to the one with its check."""
    found = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.source.startswith("### Exercise"):
            heading = HEADING.fullmatch(cell.source.splitlines()[0])
            assert heading, f"{path.name}: {cell.source.splitlines()[0]!r} is no heading of an exercise"
            name, cells = heading[1], []
            found[name] = heading[0], cells
            unchecked = True
        if found and unchecked:
            cells.append(cell)
            unchecked = f'check("{name}"' not in cell.source
    return found


def names_of(notebook):
    return [name for name in EXERCISES if notebook.startswith(name[:2])]


def run(cells, name):
    """What the code prints, up to the check of exercise ``name``."""
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    before, checked, _ = code.partition(f'check("{name}"')
    arguments = code[len(before + checked) :].splitlines()[0]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(before + checked + arguments, {"np": np, "tf": tf, "math": math, "check": check})
    return printed.getvalue()


def test_lessons_and_solutions_are_paired():
    numbers = {name[:2] for name in EXERCISES}
    assert {name[:2] for name in SOLUTIONS} == numbers
    assert set(SOLUTIONS) <= set(LESSONS)
    assert all(3 <= len(names_of(name)) <= 5 for name in SOLUTIONS)


@pytest.mark.parametrize("notebook", SOLUTIONS)
def test_every_exercise_stands_in_its_lesson_and_runs_unsolved(notebook):
    exercises_of_lesson = exercise_cells(LESSONS[notebook])
    assert list(exercises_of_lesson) == names_of(notebook)
    for name, (_, cells) in exercises_of_lesson.items():
        assert "<details><summary>Hint</summary>" in cells[0].source
        assert len(cells[-1].source.splitlines()) <= 10
        assert run(cells, name) == f"{name} is not solved yet: {EXERCISES[name].todo}\n"


@pytest.mark.parametrize("notebook", SOLUTIONS)
def test_every_exercise_has_its_solution_under_the_same_heading(notebook):
    lesson, solution = exercise_cells(LESSONS[notebook]), exercise_cells(SOLUTIONS[notebook])
    assert [heading for heading, _ in solution.values()] == [heading for heading, _ in lesson.values()]
    for name, (_, cells) in solution.items():
        right = f"{name} right: {EXERCISES[name].praise}\n"
        assert run(cells, name) == right
        assert right in "".join(output.get("text", "") for output in cells[-1].outputs)


@pytest.mark.parametrize("notebook", SOLUTIONS)
def test_every_lesson_links_to_its_solutions_and_asks_an_open_question(notebook):
    prose = [cell.source for cell in nbformat.read(LESSONS[notebook], as_version=4).cells if "outputs" not in cell]
    opening = [text for text in prose if text.startswith("## Exercises")]
    assert len(opening) == 1, f"notebooks/{notebook} lacks its cell ## Exercises"
    assert f"(solutions/{notebook})" in opening[0]
    assert sum(text.startswith("### An open question") for text in prose) == 1
