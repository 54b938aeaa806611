"""Each exercise: its skeleton, its solution, wrong answers that people give, and its text in lesson and solution."""

import re
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest
import tensorflow as tf

from lstm_mnist.exercises import EXERCISES, check

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
LESSONS = {path.name: path for path in sorted(NOTEBOOKS.glob("0[1-6]_*.ipynb"))}
SOLUTIONS = {path.name: path for path in sorted((NOTEBOOKS / "solutions").glob("*.ipynb"))}
HEADING = re.compile(r"### Exercise (\d\d\.\d) (★{1,3}) \S.*")

each_exercise = pytest.mark.parametrize("name", EXERCISES)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    return np.asarray(tf.nn.softmax(z))


def parts(x_t, h, W, U, b):
    return np.split(x_t @ W + h @ U + b, 4, axis=1)


def step(x_t, h, c, W, U, b, order=(0, 1, 2, 3), f=None):
    z = parts(x_t, h, W, U, b)
    i, old_f, candidate, o = (z[k] for k in order)
    c = (sigmoid(old_f) if f is None else f) * c + sigmoid(i) * np.tanh(candidate)
    return sigmoid(o) * np.tanh(c), c


def to_keras(joint_kernel, bias, num_features, order=(0, 2, 1, 3), forget_bias=1):
    kernel, bias = (
        np.concatenate([np.split(weights, 4, axis=-1)[k] for k in order], axis=-1) for weights in (joint_kernel, bias)
    )
    bias[len(bias) // 4 : len(bias) // 2] += forget_bias
    return kernel[:num_features], kernel[num_features:], bias


def label_losses(logits, labels):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def adam(w, g, m, v, n, corrected=1, inside=0.0, behind=1e-7):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    m_hat, v_hat = m / (1 - corrected * 0.9**n), v / (1 - corrected * 0.999**n)
    return w - 0.001 * m_hat / (np.sqrt(v_hat + inside) + behind), m, v


def calibration_error(confidence, right, weighted=True):
    gaps = []
    for k in range(10):
        here = (confidence > k / 10) & (confidence <= (k + 1) / 10)
        if here.any():
            gaps.append((here.sum() if weighted else 1, abs(confidence[here].mean() - right[here].mean())))
    weights, gaps = np.array(gaps).T
    return (weights * gaps).sum() / weights.sum()


def gaps_with_empty_bins(confidence, right):
    with np.errstate(invalid="ignore"):
        place = np.ceil(confidence * 10).astype(int) - 1
        count = np.bincount(place, minlength=10)
        gap = np.bincount(place, confidence, 10) / count - np.bincount(place, right, 10) / count
        return (count * np.abs(gap)).sum() / count.sum()


def memory(i, f, candidate, last=14):
    rows = [np.zeros(5)]
    for t in range(28):
        rows.append(f[t] * rows[-1] + (i[t] * candidate[t] if t < last else 0))
    return np.stack(rows[1:])


def decision_row(belief):
    answers = list(belief.argmax(axis=1))
    while answers and answers[-1] == belief[-1].argmax():
        answers.pop()
    return len(answers) + 1


def centre(image):
    """Mean row and mean column, as in the lesson."""
    return [(image.sum(axis=1 - k) @ np.arange(28)) / image.sum() for k in (0, 1)]


def fitted(height, width, box_height, box_width, choose=min, least=1):
    scale = choose(box_height / height, box_width / width)
    return max(least, round(height * scale)), max(least, round(width * scale))


def blocks(photo):
    return photo.reshape(28, 10, 28, 10).mean(axis=(1, 3))


BUGS = {
    "02.5": lambda *cell: step(*cell, order=(0, 2, 3, 1)),
    "03.2": lambda logits, labels: tf.reduce_mean(label_losses(tf.nn.softmax(logits), labels)),
    "03.4": lambda validation, test: (np.argmax(test), test[np.argmax(test)]),
    "06.3": lambda photo: blocks(photo).T / 255,
}

# name: solution, then wrong answers with words that the check must find for them
ANSWERS = {
    "01.1": ((64, 28, 28), [((128, 28, 28), "the 64 asked for"), ((64, 784), "flattened"), ((28, 28, 64), "first")]),
    "01.2": (
        lambda images: images[:, 0:14, :],
        [
            (lambda images: images[:14], "takes 14 images"),
            (lambda images: images[:, :, :14], "columns"),
            (lambda images: images[:, :15], "row 15"),
            (lambda images: np.where(np.arange(28)[:, None] < 14, images, 0), "blank but still there"),
        ],
    ),
    "01.3": (
        lambda images: np.swapaxes(images, 1, 2),
        [
            (lambda images: images.reshape(-1, 28, 28), "reshape"),
            (lambda images: images.T, "batch comes last"),
            (lambda images: np.rot90(images, axes=(1, 2)), "right to left"),
            (lambda images: np.fliplr(images.swapaxes(1, 2)), "right to left"),
        ],
    ),
    "01.4": (6875, [(430, "88 images"), (429, "430 is mixed"), (880_000, "number of images"), (16, "epochs")]),
    "02.1": (
        lambda d, h: 4 * h * (d + h + 1),
        [
            (lambda d, h: 4 * h * (d + h), "biases are missing"),
            (lambda d, h: h * (d + h + 1), "there are four"),
            (lambda d, h: 4 * h * (d + h + 2), "PyTorch"),
            (lambda d, h: 4 * h * (d + 1), "h(t−1)"),
        ],
    ),
    "02.2": (
        lambda x_t, h, W, U, b: tf.sigmoid(tf.split(x_t @ W + h @ U + b, 4, axis=1)[1]),
        [
            (lambda *cell: sigmoid(parts(*cell)[0]), "input gate"),
            (lambda *cell: np.tanh(parts(*cell)[1]), "needs the sigmoid"),
            (lambda x_t, h, W, U, b: sigmoid(parts(x_t, h, W, U, 0 * b)[1]), "bias is forgotten"),
            (lambda *cell: parts(*cell)[1], "sigmoid that makes a valve"),
        ],
    ),
    "02.3": (
        to_keras,
        [
            (lambda kernel, bias, d: (kernel[:d], kernel[d:], bias), "order of 2019, and the forget bias is missing"),
            (lambda *cell: to_keras(*cell, forget_bias=0), "forget bias is missing: in 2019"),
            (lambda *cell: to_keras(*cell, order=(0, 1, 2, 3)), "forget bias went to the candidate"),
        ],
    ),
    "02.4": (
        lambda *cell: step(*cell, f=1),
        [
            (step, "still moves"),
            (lambda *cell: step(*cell, f=0), "0 is shut"),
            (lambda *cell: step(*cell, f=sigmoid(1)), "freezes the bias"),
            (lambda *cell: step(*cell, f=1)[::-1], "exchanged"),
        ],
    ),
    "02.5": (
        step,
        [
            (lambda *cell: step(*cell, order=(1, 0, 2, 3)), "i and f are now exchanged"),
            (lambda *cell: step(*cell, order=(0, 2, 1, 3)), "order of 2019"),
            (lambda *cell: step(*cell)[::-1], "h and c are exchanged"),
        ],
    ),
    "03.1": (3.258, [(np.log10(26), "base 10"), (-np.log(26), "sign"), (4.7004, "bits"), (2.3026, "ten digits")]),
    "03.2": (
        lambda logits, labels: tf.reduce_mean(label_losses(logits, labels)),
        [
            (lambda logits, labels: tf.reduce_sum(label_losses(logits, labels)), "averaged, not summed"),
            (label_losses, "mean over the batch is missing"),
            (lambda logits, labels: -np.mean(logits[range(4), labels]), "softmax is missing"),
            (lambda logits, labels: np.mean(np.log(softmax(logits)[range(4), labels])), "sign"),
        ],
    ),
    "03.3": (
        adam,
        [
            (lambda *state: adam(*state, corrected=0), "correction is missing"),
            (lambda *state: adam(*state, inside=1e-7, behind=0), "behind the root"),
            (lambda w, g, m, v, n: adam(w, -g, -m, v, n)[:1] + adam(w, g, m, v, n)[1:], "the sign"),
        ],
    ),
    "03.4": (
        lambda validation, test: (np.argmax(validation), test[np.argmax(validation)]),
        [
            (lambda validation, test: (np.argmax(validation), validation.max()), "report the test accuracy"),
            (lambda validation, test: (np.argmax(validation), test.max()), "another network"),
        ],
    ),
    "04.1": (0.00172, [(0.985 * 0.015 / 5000, "variance"), (0.172, "percentage"), (0.1215, "divide by n")]),
    "04.2": (
        lambda p, q: (p * (1 - p) + q * (1 - q)) / ((p - q) / 2) ** 2,
        [
            (lambda p, q: 4 * p * (1 - p) / (p - q) ** 2, "half of what is needed"),
            (lambda p, q: 4 * (p * (1 - p) + q * (1 - q)) / abs(p - q), "difference must be squared"),
            (lambda p, q: (p * (1 - p) + q * (1 - q)) / (p - q) ** 2, "one standard error"),
        ],
    ),
    "04.3": (
        lambda matrix, digit: matrix[digit][digit] / sum(matrix[true][digit] for true in range(10)),
        [
            (lambda matrix, digit: matrix[digit, digit] / matrix[digit].sum(), "recall"),
            (lambda matrix, digit: matrix[digit, digit] / matrix.sum(), "divided by all images"),
        ],
    ),
    "04.4": (
        calibration_error,
        [
            (lambda *answers: calibration_error(*answers, weighted=False), "weigh each bin"),
            (lambda confidence, right: abs(confidence.mean() - right.mean()), "cancel out"),
            (gaps_with_empty_bins, "leave it out"),
        ],
    ),
    "05.1": (
        lambda h, c, V, a: softmax(h[:, 13] @ V + a),
        [
            (lambda h, c, V, a: softmax(h[:, 14] @ V + a), "after row 15: row 14"),
            (lambda h, c, V, a: softmax(c[:, 13] @ V + a), "made from c"),
            (lambda h, c, V, a: h[:, 13] @ V + a, "logits"),
        ],
    ),
    "05.2": (
        memory,
        [
            (lambda *gates: memory(*gates, last=28), "still works"),
            (lambda *gates: memory(*gates, last=15), "one row late"),
            (lambda *gates: memory(*gates, last=13), "one row early"),
            (lambda *gates: memory(*gates)[[*range(14), *[13] * 14]], "stands still"),
        ],
    ),
    "05.3": (
        decision_row,
        [
            (lambda belief: decision_row(belief) - 1, "counted from 1"),
            (lambda belief: list(belief.argmax(axis=1)).index(belief[-1].argmax()) + 1, "given up again"),
        ],
    ),
    "06.1": (
        lambda image: (round(14 - mean) for mean in centre(image)),
        [
            (lambda image: [round(14 - mean) for mean in centre(image)[::-1]], "exchanged"),
            (lambda image: [round(mean - 14) for mean in centre(image)], "the sign"),
            (lambda image: [round(13.5 - mean) for mean in centre(image)], "13.5"),
            (lambda image: [14 - mean for mean in centre(image)], "whole pixels"),
        ],
    ),
    "06.2": (
        fitted,
        [
            (lambda height, width, box_height, box_width: (box_height, box_width), "stretched"),
            (lambda *sizes: fitted(*sizes, choose=lambda *factors: min(*factors, 1)), "has to grow"),
            (lambda *sizes: fitted(*sizes, choose=max), "stick out"),
            (lambda *sizes: fitted(*sizes)[::-1], "exchanged"),
            (lambda *sizes: fitted(*sizes, least=0), "0 wide"),
        ],
    ),
    "06.3": (
        lambda photo: 1 - blocks(photo) / 255,
        [
            (lambda photo: 1 - blocks(photo).T / 255, "on its side"),
            (lambda photo: blocks(photo) / 255, "ink is still low"),
            (lambda photo: 255 - blocks(photo), "scaled to 0..1"),
        ],
    ),
}


def said(capsys, name, answer):
    """The one line that the check prints."""
    check(name, answer)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{name} ")
    return line


def test_every_exercise_is_tried_here():
    assert list(ANSWERS) == list(EXERCISES)
    assert all(len(wrong) >= 2 for _, wrong in ANSWERS.values())
    assert set(BUGS) == {name for name, exercise in EXERCISES.items() if exercise.bug}


@each_exercise
def test_an_untouched_skeleton_is_told_to_be_unsolved(name, capsys):
    skeletons = [...]
    if callable(ANSWERS[name][0]):
        skeletons += [lambda *arguments: ..., lambda *arguments: (..., 1)]
    if name in BUGS:
        skeletons.append(BUGS[name])
    for skeleton in skeletons:
        assert "is not solved yet: " in said(capsys, name, skeleton)


@each_exercise
def test_a_solution_is_right(name, capsys):
    assert said(capsys, name, ANSWERS[name][0]).startswith(f"{name} right: ")


@pytest.mark.parametrize(("name", "number"), [(name, k) for name in ANSWERS for k in range(len(ANSWERS[name][1]))])
def test_a_typical_wrong_answer_gets_its_hint(name, number, capsys):
    wrong, words = ANSWERS[name][1][number]
    line = said(capsys, name, wrong)
    assert line.startswith(f"{name} not yet: ")
    assert words in line


@each_exercise
def test_each_hint_belongs_to_one_wrong_answer_alone(name, capsys):
    for hint, wrong in EXERCISES[name].wrong.items():
        assert hint in said(capsys, name, wrong)


@each_exercise
def test_what_the_reader_hands_over_never_raises(name, capsys):
    def broken(*arguments):
        raise KeyError("oops")

    odd = [None, "words", {}, object(), [], [[1], [1, 2]], 1j, np.zeros((3, 3)), np.nan, broken, check, lambda: 1]
    functions = [lambda *arguments, value=value: value for value in odd[:9]]
    for answer in odd + functions:
        assert "not yet: " in said(capsys, name, answer)


def test_an_error_in_the_readers_function_is_named(capsys):
    line = said(capsys, "01.2", lambda images: images[:, :, :, :14])
    assert "your function raised IndexError: too many indices" in line
    assert "takes 2 positional arguments but 5 were given" in said(capsys, "02.2", lambda x_t, h: h)


def test_a_function_without_return_and_a_call_for_a_function_are_told(capsys):
    assert "does it end with return?" in said(capsys, "01.2", lambda images: None)
    assert "without brackets" in said(capsys, "01.2", np.zeros((20, 14, 28)))
    assert "no function" in said(capsys, "01.1", lambda: (64, 28, 28))


def test_any_other_wrong_answer_is_shown_beside_the_expected_one(capsys):
    assert "expected shape [20, 14, 28], yours [20, 3, 28]" in said(capsys, "01.2", lambda images: images[:, :3])
    assert "expected 6,875, yours 12" in said(capsys, "01.4", 12)
    assert "expected 2 results, yours 3" in said(capsys, "02.4", lambda *cell: (1, 2, 3))
    assert "result 2: expected shape [2, 5]" in said(capsys, "02.4", lambda *cell: (step(*cell, f=1)[0], 1.0))
    assert "yours is of type str" in said(capsys, "03.1", "ln 26")


def test_the_readers_function_cannot_spoil_the_examples(capsys):
    def careless(images):
        result = images[:, :14].copy()
        images[:] = 0
        return result

    for _ in range(2):
        assert "right: " in said(capsys, "01.2", careless)


@pytest.mark.parametrize("name", ["9.9", "01.1 ", 1.1, None, [], "02"])
def test_an_unknown_exercise_is_an_error(name):
    with pytest.raises(ValueError, match=r"no exercise is named .*use one of 01\.1, 01\.2, "):
        check(name, 1)


def test_the_ported_cell_computes_what_the_cell_of_2019_did():
    rng = np.random.default_rng(5)
    kernel, bias, x_t, h, c = (
        rng.normal(size=size).astype(np.float32) for size in ((8, 20), 20, (2, 3), (2, 5), (2, 5))
    )
    i, candidate, f, o = np.split(np.concatenate([x_t, h], axis=1) @ kernel + bias, 4, axis=1)
    new_c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(candidate)
    cell = keras.layers.LSTMCell(5)
    cell.build((None, 3))
    cell.set_weights(EXERCISES["02.3"].right(kernel, bias, 3))
    _, states = cell(tf.constant(x_t), [tf.constant(h), tf.constant(c)])
    np.testing.assert_allclose(states[1], new_c, atol=1e-5)
    np.testing.assert_allclose(states[0], sigmoid(o) * np.tanh(new_c), atol=1e-5)


def exercise_cells(path):
    """Name of an exercise: its task's text and the code cell after it."""
    cells, found = nbformat.read(path, as_version=4).cells, {}
    for k, cell in enumerate(cells):
        if cell.cell_type == "markdown" and cell.source.startswith("### Exercise"):
            heading = HEADING.fullmatch(cell.source.splitlines()[0])
            assert heading, f"{path.name}: {cell.source.splitlines()[0]!r} is no heading of an exercise"
            codes = [after for after in cells[k + 1 : k + 3] if after.cell_type == "code"]
            assert codes, f"{path.name}: no code cell after exercise {heading[1]}"
            found[heading[1]] = cell.source, codes[0]
    return found


def exercises_of_lesson(notebook):
    assert notebook in LESSONS, f"there is no lesson notebooks/{notebook}"
    found = exercise_cells(LESSONS[notebook])
    assert list(found) == names_of(notebook), f"notebooks/{notebook} lacks exercises or has them in another order"
    return found


def names_of(notebook):
    return [name for name in EXERCISES if notebook.startswith(name[:2])]


def test_lessons_and_solutions_are_paired():
    numbers = {name[:2] for name in EXERCISES}
    assert {name[:2] for name in SOLUTIONS} == numbers
    assert set(SOLUTIONS) <= set(LESSONS)
    assert all(3 <= len(names_of(name)) <= 5 for name in SOLUTIONS)


@pytest.mark.parametrize("notebook", SOLUTIONS)
def test_every_exercise_stands_in_its_lesson_and_runs_unsolved(notebook, capsys):
    for name, (task, code) in exercises_of_lesson(notebook).items():
        assert "<details><summary>Hint</summary>" in task
        assert len(code.source.splitlines()) <= 10
        exec(code.source, {"np": np, "tf": tf, "check": check})
        assert f"{name} is not solved yet: " in capsys.readouterr().out


@pytest.mark.parametrize("notebook", SOLUTIONS)
def test_every_lesson_links_to_its_solutions_and_asks_an_open_question(notebook):
    assert notebook in LESSONS, f"there is no lesson notebooks/{notebook}"
    prose = [cell.source for cell in nbformat.read(LESSONS[notebook], as_version=4).cells if "outputs" not in cell]
    opening = [text for text in prose if text.startswith("## Exercises")]
    assert len(opening) == 1, f"notebooks/{notebook} lacks its cell ## Exercises"
    assert f"(solutions/{notebook})" in opening[0]
    assert sum(text.startswith("### An open question") for text in prose) == 1


@pytest.mark.parametrize("notebook", SOLUTIONS)
def test_every_solution_is_stored_with_its_check_saying_right(notebook):
    found = exercise_cells(SOLUTIONS[notebook])
    assert list(found) == names_of(notebook)
    for name, (_, code) in found.items():
        shown = "".join(output.get("text", "") for output in code.outputs)
        assert f"{name} right: {EXERCISES[name].praise}" in shown


@pytest.mark.parametrize("notebook", SOLUTIONS)
def test_the_task_reads_the_same_in_lesson_and_solution(notebook):
    in_lesson = {name: task for name, (task, _) in exercises_of_lesson(notebook).items()}
    in_solution = {name: task for name, (task, _) in exercise_cells(SOLUTIONS[notebook]).items()}
    assert in_lesson == in_solution
