"""The checks of the exercises in notebooks 01 to 06: ``check("01.1", answer)`` says how an answer stands."""

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


def check(name, answer):
    """Print one line: exercise ``name`` is right, what differs, or that it is not solved yet.

    ``answer`` is a value, or a function to be called on small examples; what it raises is told, not raised.
    Raises ``ValueError`` for a ``name`` that no exercise has.
    """
    if str(name) not in EXERCISES:
        raise ValueError(f"no exercise is named {name!r}: use one of {', '.join(EXERCISES)}")
    print(name, _verdict(EXERCISES[str(name)], answer))


def _verdict(exercise, answer):
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


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


def _softmax(z, axis=-1):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _normal(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal(shape).astype(np.float32) for shape in shapes)


# 01 · The data

_IMAGES = ((np.random.default_rng(0).integers(1, 256, (20, 28, 28)).astype(np.uint8),),)


def _blank_from_row_15(images):
    return images * (np.arange(28) < 14)[:, None]


# 02 · The LSTM graph: batch 2, 3 features, 5 units

_CELL = _normal((2, 3), (2, 5), (3, 20), (5, 20), (20,))
_STEP = _normal((2, 3), (2, 5), (2, 5), (3, 20), (5, 20), (20,))


def _gate(number, curve=_sigmoid, see_h=1, see_b=1):
    def gate(x_t, h, W, U, b):
        return curve(np.split(x_t @ W + see_h * h @ U + see_b * b, 4, axis=1)[number])

    return gate


def _every_gate(x_t, h, W, U, b):
    return _sigmoid(x_t @ W + h @ U + b)


def _step(order="ifco", second_tanh=np.tanh, **fixed):
    """An LSTM step with gates read in ``order``, some of them ``fixed`` at a number."""

    def step(x_t, h, c, W, U, b):
        z = dict(zip(order, np.split(x_t @ W + h @ U + b, 4, axis=1), strict=True))
        gate = {name: np.tanh(z[name]) if name == "c" else _sigmoid(z[name]) for name in z} | fixed
        c = gate["f"] * c + gate["i"] * gate["c"]
        return gate["o"] * second_tanh(c), c

    return step


def _port(order=(0, 2, 1, 3), forget_bias=1.0, forget_at=1, h_first=False):
    """Kernels and bias of the 2019 cell (i, candidate, f, o) in Keras's order."""

    def port(joint_kernel, bias, num_features):
        kernel, bias = (np.concatenate([np.split(a, 4, -1)[k] for k in order], -1) for a in (joint_kernel, bias))
        quarter = len(bias) // 4
        bias[forget_at * quarter : (forget_at + 1) * quarter] += forget_bias
        if h_first:
            return kernel[-num_features:], kernel[:-num_features], bias
        return kernel[:num_features], kernel[num_features:], bias

    return port


# 03 · Training

_LOGITS = ((np.array([[9, 0, 0], [0, 1, 5], [2, 4, 1], [1, 0, 0]], np.float32), np.array([0, 2, 1, 1])),)


def _label_logits(logits, labels):
    return logits[np.arange(len(labels)), labels]


def _losses(logits, labels):
    return -np.log(_label_logits(_softmax(logits), labels))


def _adam(correct=True, inside=False, sign=-1, square=True, keras_form=False, root=np.sqrt, b1=0.9, b2=0.999):
    def step(w, g, m, v, n):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * (g**2 if square else np.abs(g))
        mean, mean_square = (m / (1 - b1**n), v / (1 - b2**n)) if correct else (m, v)
        epsilon = 1e-7 / np.sqrt(1 - b2**n) if keras_form else 1e-7
        below = root(mean_square + epsilon) if inside else root(mean_square) + epsilon
        return w + sign * 0.001 * mean / below, m, v

    return step


_ADAM = tuple(
    (np.array([0.001, -0.002, 0.0, 0.003]), np.array([0.5, -2.0, 1e-6, 0.1]), m, v, n)
    for m, v, n in (
        (np.zeros(4), np.zeros(4), 1),
        (np.array([0.1, 0.2, 1e-6, -0.3]), np.array([0.01, 0.3, 1e-12, 0.02]), 3),
    )
)

_SCORES = (
    (np.array([0.979, 0.982, 0.985, 0.983]), np.array([0.978, 0.986, 0.981, 0.980])),
    (np.array([0.990, 0.970, 0.980, 0.985]), np.array([0.984, 0.971, 0.988, 0.983])),
)


# 04 · Evaluation

_PAIRS = ((0.984, 0.986), (0.5, 0.51))
_MATRIX = np.random.default_rng(1).integers(1, 30, (10, 10)) + np.diag(np.arange(900, 1000, 10))
_CONFIDENCE = np.array([0.93, 0.97, 0.99, 0.95, 0.91, 0.98, 0.72, 0.78, 0.64, 0.36])
_RIGHT = np.array([True, True, True, True, False, True, True, False, False, True])


def _bin_gaps(confidence, right):
    """Share of the answers and gap between accuracy and confidence in each bin that is not empty."""
    place = np.ceil(10 * confidence).astype(int)
    bins = [place == k for k in np.unique(place)]
    return np.array([(b.mean(), right[b].mean() - confidence[b].mean()) for b in bins]).T


def _expected_error(confidence, right):
    share, gap = _bin_gaps(confidence, right)
    return (share * np.abs(gap)).sum()


# 05 · Inside the LSTM

_STATES = _normal((4, 28, 6), (4, 28, 6), (6, 10), (10,))


def _belief(row=13, take="h", curve=_softmax):
    return lambda h, c, V, a: curve((h if take == "h" else c)[:, row] @ V + a)


_OPENINGS = ((*map(_sigmoid, _normal((28, 5), (28, 5))), np.tanh(_normal((28, 5), seed=1)[0])),)


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


# 06 · Draw a digit


def _drawing(rows, columns):
    image = np.zeros((28, 28), np.uint8)
    image[rows, columns.start : columns.start + 2] = 60
    image[rows.stop - 2 : rows.stop, columns] = 255
    return (image,)


_DRAWINGS = (_drawing(slice(2, 12), slice(3, 8)), _drawing(slice(12, 27), slice(4, 25)))


def _shift(centre=14, sign=1, axes=(1, 0), weigh=lambda image: image, rounding=np.rint):
    def shift(image):
        weights = weigh(image).astype(float)
        means = [weights.sum(axis=axis) @ np.arange(28) / weights.sum() for axis in axes]
        return tuple(float(rounding(sign * (centre - mean))) for mean in means)

    return shift


def _middle_of_box(image):
    return tuple(float(np.rint(14 - (k.min() + k.max()) / 2)) for k in np.nonzero(image))


def _fit(choose=min, rounding=round, smallest=1):
    def fit(height, width, box_height, box_width):
        scale = choose(box_height / height, box_width / width)
        return max(smallest, rounding(scale * height)), max(smallest, rounding(scale * width))

    return fit


_SIZES = ((5, 3, 20, 20), (100, 50, 20, 20), (30, 92, 20, 20), (200, 3, 20, 20), (60, 33, 30, 10))
_PHOTO = ((np.random.default_rng(2).integers(0, 256, (280, 280)).astype(np.uint8),),)


def _shrunk(photo):
    return photo.reshape(28, 10, 28, 10).mean(axis=(1, 3))


EXERCISES = {
    "01.1": Exercise(
        right=[64, 28, 28],
        praise="64 images, each one sequence of 28 rows with 28 pixels",
        wrong={
            "the 64 asked for is the batch; 128 is only the size used in the lesson": [128, 28, 28],
            "the images are not flattened: an LSTM needs the rows as an axis of their own": [64, 784],
            "an image is one sequence of 28 rows, not 28 sequences: rows and batch stay two axes": [64 * 28, 28],
            "the batch is the first axis, before rows and columns": [28, 64, 28],
            "the batch is the first axis, not the last": [28, 28, 64],
            "that is an image network's form with a colour axis; an LSTM reads three axes": [64, 28, 28, 1],
            "that is the shape of the labels": [64],
        },
    ),
    "01.2": Exercise(
        right=lambda images: images[:, :14],
        praise="14 rows are left of each image, and all 28 columns",
        wrong={
            "that takes 14 images; the rows are the second axis": lambda images: images[:14],
            "that takes the left half, 14 columns; the rows are the second axis": lambda images: images[:, :, :14],
            "that stops after row 13: a slice leaves out its end": lambda images: images[:, :13],
            "that reads row 15 too: a slice leaves out its end, so the end is 14": lambda images: images[:, :15],
            "those are the lower 14 rows": lambda images: images[:, 14:],
            "the lower rows are blank but still there: the network would read on for 14 rows": _blank_from_row_15,
        },
        inputs=_IMAGES,
    ),
    "01.3": Exercise(
        right=lambda images: images.transpose(0, 2, 1),
        praise="step t is now column t, from top to bottom; the shape does not show it, as 28 = 28",
        wrong={
            "these are still the rows: reshape cuts the same numbers anew, it does not exchange axes": (
                lambda images: images
            ),
            ".T turns all three axes round, so the batch comes last": lambda images: images.T,
            "the first axis is the batch and must stay first: exchange the other two": (
                lambda images: images.swapaxes(0, 1)
            ),
            "that is the mirror image, still read row by row": lambda images: images[:, :, ::-1],
            "those are the columns, but read from right to left": lambda images: images.transpose(0, 2, 1)[:, ::-1],
            "those are the columns, but each from bottom to top": lambda images: images.transpose(0, 2, 1)[:, :, ::-1],
        },
        inputs=_IMAGES,
    ),
    "01.4": Exercise(
        right=6875,
        praise="6,875 batches are 880,000 images, exactly 16 epochs",
        wrong={
            "after 429 batches 88 images of the epoch are left, so batch 430 is mixed": 429,
            "batch 430 holds the last 88 images of the first epoch and 40 of the second": 430,
            "batches are whole: find the first epoch whose end is a multiple of 128": 55_000 / 128,
            "that is the number of epochs; how many batches are they?": 16,
            "that is the number of images; how many batches are they?": 880_000,
            "an epoch does end there, but it is not the first: 55,000 and 128 share the factor 8": 55_000,
        },
        rtol=1e-6,
    ),
    "02.1": Exercise(
        right=lambda d, h: 4 * (h * (d + h) + h),
        praise="four gates, each with h × (d + h) weights and h biases",
        wrong={
            "the biases are missing: h for each of the four gates": lambda d, h: 4 * h * (d + h),
            "that is one gate; there are four": lambda d, h: h * (d + h) + h,
            "that counts two biases a gate, as PyTorch keeps them; Keras and this lesson have one": (
                lambda d, h: 4 * (h * (d + h) + 2 * h)
            ),
            "the weights for h(t−1) are missing, h × h a gate": lambda d, h: 4 * (h * d + h),
            "the weights do not depend on the number of rows: all 28 steps share them": (
                lambda d, h: 28 * 4 * (h * (d + h) + h)
            ),
            "that includes the output layer; count the LSTM alone": lambda d, h: 4 * (h * (d + h) + h) + 10 * h + 10,
        },
        inputs=((28, 128), (10, 32), (3, 1)),
        rtol=1e-9,
    ),
    "02.2": Exercise(
        right=_gate(1),
        praise="the second quarter of the weights, through the sigmoid",
        wrong={
            "that is the input gate: in Keras's order i, f, candidate, o the forget gate comes second": _gate(0),
            "that is the candidate's part: f comes third in the order of 2019, but second in Keras's": _gate(2),
            "that is the output gate: in Keras's order i, f, candidate, o the forget gate comes second": _gate(3),
            "tanh makes values from −1 to 1; a valve needs the sigmoid": _gate(1, np.tanh),
            "the bias is forgotten": _gate(1, see_b=0),
            "what the cell said last is forgotten: h with its weights U": _gate(1, see_h=0),
            "that is the sum z; the sigmoid that makes a valve of it is missing": _gate(1, lambda z: z),
            "those are four gates side by side; take the second quarter": _every_gate,
        },
        inputs=(_CELL,),
    ),
    "02.3": Exercise(
        right=_port(),
        praise="the cell of 2019 lives on in a Keras layer",
        wrong={
            "the gates still have the order of 2019, and the forget bias is missing": _port((0, 1, 2, 3), 0),
            "the gates still have the order of 2019: candidate and f must be exchanged": _port((0, 1, 2, 3), 1, 2),
            "the gates still have the order of 2019, and so the forget bias went to the candidate": _port((0, 1, 2, 3)),
            "the forget bias is missing: in 2019 it was added at each step, in Keras it sits in the bias": _port(
                forget_bias=0
            ),
            "the order is right, but the forget bias went to the candidate: it belongs to the second quarter": _port(
                forget_at=2
            ),
            "the joint kernel has the rows of x first and those of h below; yours are exchanged": _port(h_first=True),
        },
        inputs=((*_normal((8, 20), (20,)), 3),),
    ),
    "02.4": Exercise(
        right=_step(f=1),
        praise="with f = 1 nothing is lost, and c only adds up",
        wrong={
            "the forget gate still moves: put 1 in its place": _step(),
            "0 is shut: that forgets everything at each row; open is 1": _step(f=0),
            "that freezes the input gate; the forget gate is the one before c": _step(i=1),
            "that freezes the bias, not the gate: open is 1, not sigmoid(1)": _step(f=_sigmoid(1)),
            "h and c are exchanged: give back h first": lambda *arguments: _step(f=1)(*arguments)[::-1],
            "c is right, but h is o times the tanh of c": _step(f=1, second_tanh=lambda c: c),
        },
        inputs=(_STEP,),
    ),
    "02.5": Exercise(
        right=_step(),
        praise="the shapes fitted, and only the order of the four parts was wrong",
        bug=_step("iofc"),
        todo="its h and c still differ from those of the LSTM, though every shape fits",
        wrong={
            "i and f are now exchanged: Keras's order is i, f, candidate, o": _step("fico"),
            "that is the order of 2019: Keras's is i, f, candidate, o": _step("icfo"),
            "candidate and o are now exchanged: Keras's order is i, f, candidate, o": _step("ifoc"),
            "the gates are right now, but h and c are exchanged": lambda *arguments: _step()(*arguments)[::-1],
            "the gates are right now, but h is o times the tanh of c": _step(second_tanh=lambda c: c),
        },
        inputs=(_STEP,),
    ),
    "03.1": Exercise(
        right=np.log(26),
        praise="ln 26 = 3.258 nats, what a network that knows nothing should begin with",
        wrong={
            "that is the logarithm to base 10; a nat is the natural one": np.log10(26),
            "that is the loss in bits; a nat is the natural logarithm": np.log2(26),
            "the sign: a loss is −ln p, and ln p is negative": -np.log(26),
            "that is the probability p itself; the loss is −ln p": 1 / 26,
            "that is the answer for ten digits; here are 26 letters": np.log(10),
        },
        rtol=1e-3,
    ),
    "03.2": Exercise(
        right=lambda logits, labels: _losses(logits, labels).mean(),
        praise="softmax is applied once, by the loss function, which takes logits",
        bug=lambda logits, labels: _losses(_softmax(logits), labels).mean(),
        todo="it still has its bug, and stays far above 0 even for answers that are sure and right",
        wrong={
            "now softmax is missing altogether: logits are no log-probabilities": (
                lambda logits, labels: -_label_logits(logits, labels).mean()
            ),
            "softmax is applied once now, but the losses must be averaged, not summed": (
                lambda logits, labels: _losses(logits, labels).sum()
            ),
            "softmax is applied once now, but the mean over the batch is missing": _losses,
            "the logarithm of the mean is not the mean of the logarithms": (
                lambda logits, labels: -np.log(_label_logits(_softmax(logits), labels).mean())
            ),
            "softmax is applied once now, but the sign is wrong: the loss is −ln p": (
                lambda logits, labels: -_losses(logits, labels).mean()
            ),
        },
        inputs=_LOGITS,
    ),
    "03.3": Exercise(
        right=_adam(),
        praise="the same step as in the lesson's formula, in the first step and in the third",
        wrong={
            "the correction is missing: divide m by 1 − 0.9ⁿ and v by 1 − 0.999ⁿ": _adam(correct=False),
            "epsilon belongs behind the root, not inside": _adam(inside=True),
            "the sign: downhill is against the gradient": _adam(sign=1),
            "v is the mean of g², not of g": _adam(square=False),
            "the root over v is missing": _adam(root=lambda v: v),
            "0.9 belongs to m and 0.999 to v; yours are exchanged": _adam(b1=0.999, b2=0.9),
            "almost: that is Keras's short cut, in which epsilon meets the uncorrected root of v": _adam(
                keras_form=True
            ),
        },
        inputs=_ADAM,
    ),
    "03.4": Exercise(
        right=lambda validation, test: (validation.argmax(), test[validation.argmax()]),
        praise="chosen by validation images, reported on test images that had no say",
        bug=lambda validation, test: (test.argmax(), test.max()),
        todo="the number it reports is still too good to be true: which images had a say in the choice?",
        wrong={
            "chosen well, but report the test accuracy: the validation images have been used for choosing": (
                lambda validation, test: (validation.argmax(), validation.max())
            ),
            "chosen by the mean of both: then the test images still have a say": (
                lambda validation, test: ((validation + test).argmax(), test[(validation + test).argmax()])
            ),
            "chosen well, but the accuracy is that of another network, the luckiest on the test images": (
                lambda validation, test: (validation.argmax(), test.max())
            ),
            "that chooses the worst: argmin finds the smallest accuracy": (
                lambda validation, test: (validation.argmin(), test[validation.argmin()])
            ),
        },
        inputs=_SCORES,
    ),
    "04.1": Exercise(
        right=np.sqrt(0.985 * 0.015 / 5000),
        praise="0.0017, so the third decimal of this accuracy is already uncertain",
        wrong={
            "that is the variance; take its square root": 0.985 * 0.015 / 5000,
            "that is the spread of a single answer; divide by n under the root": np.sqrt(0.985 * 0.015),
            "n belongs under the root": np.sqrt(0.985 * 0.015) / 5000,
            "that is in percentage points; write it as a share, as the accuracy is": 100
            * np.sqrt(0.985 * 0.015 / 5000),
            "that is 1.96 standard errors, half of the 95 % interval": 1.96 * np.sqrt(0.985 * 0.015 / 5000),
            "that is for 10,000 images; there are 5,000 here": np.sqrt(0.985 * 0.015 / 10_000),
        },
        rtol=0.02,
    ),
    "04.2": Exercise(
        right=lambda p1, p2: 4 * (p1 * (1 - p1) + p2 * (1 - p2)) / (p1 - p2) ** 2,
        praise="29,548 images for 98.4 % against 98.6 %, three times as many as MNIST's test set has",
        wrong={
            "half of what is needed: add the variances of both networks, and square the 2": (
                lambda p1, p2: 4 * p1 * (1 - p1) / (p1 - p2) ** 2
            ),
            "half of what is needed: the variances of both networks add up, and 2 squared is 4": (
                lambda p1, p2: 4 * p2 * (1 - p2) / (p1 - p2) ** 2
            ),
            "half of what is needed: 2 must be squared, too": (
                lambda p1, p2: 2 * (p1 * (1 - p1) + p2 * (1 - p2)) / (p1 - p2) ** 2
            ),
            "the difference must be squared, because n stands under a root": (
                lambda p1, p2: 4 * (p1 * (1 - p1) + p2 * (1 - p2)) / abs(p1 - p2)
            ),
            "that makes the difference one standard error; two were asked for": (
                lambda p1, p2: (p1 * (1 - p1) + p2 * (1 - p2)) / (p1 - p2) ** 2
            ),
            "standard errors add as squares: √(s₁² + s₂²), not s₁ + s₂": (
                lambda p1, p2: 4 * (np.sqrt(p1 * (1 - p1)) + np.sqrt(p2 * (1 - p2))) ** 2 / (p1 - p2) ** 2
            ),
            "right but for the factor: the task asks for 2 standard errors, not 1.96": (
                lambda p1, p2: 1.96**2 * (p1 * (1 - p1) + p2 * (1 - p2)) / (p1 - p2) ** 2
            ),
        },
        inputs=_PAIRS,
        rtol=0.01,
    ),
    "04.3": Exercise(
        right=lambda matrix, digit: matrix[digit, digit] / matrix[:, digit].sum(),
        praise="of all answers with this digit (its column), the share that is true",
        wrong={
            "that is the recall: rows are true digits; the answers with this digit are a column": (
                lambda matrix, digit: matrix[digit, digit] / matrix[digit].sum()
            ),
            "divided by all images; divide by those that were answered with this digit": (
                lambda matrix, digit: matrix[digit, digit] / matrix.sum()
            ),
            "that is the accuracy over all digits": lambda matrix, digit: np.trace(matrix) / matrix.sum(),
            "that is the share of wrong answers among them; precision is the share of right ones": (
                lambda matrix, digit: 1 - matrix[digit, digit] / matrix[:, digit].sum()
            ),
        },
        inputs=((_MATRIX, 9), (_MATRIX, 4)),
    ),
    "04.4": Exercise(
        right=_expected_error,
        praise="each bin's gap counts as much as the bin has answers",
        wrong={
            "weigh each bin by its number of answers: yours counts all bins alike": (
                lambda confidence, right: np.abs(_bin_gaps(confidence, right)[1]).mean()
            ),
            "the gaps of the bins cancel out: take each bin's absolute gap before averaging": (
                lambda confidence, right: abs(right.mean() - confidence.mean())
            ),
            "the gaps of the bins cancel out, and the sign is left: take each bin's absolute gap": (
                lambda confidence, right: right.mean() - confidence.mean()
            ),
            "that is the largest gap; average the gaps, weighted by the answers in the bins": (
                lambda confidence, right: np.abs(_bin_gaps(confidence, right)[1]).max()
            ),
            "that counts each empty bin as well; divide by the number of answers, not of bins": (
                lambda confidence, right: np.abs(_bin_gaps(confidence, right)[1]).sum() / 10
            ),
            "a bin without answers has no mean (0 / 0): leave it out": lambda confidence, right: np.nan,
            "that is in percentage points; give a share": (
                lambda confidence, right: 100 * _expected_error(confidence, right)
            ),
        },
        inputs=((_CONFIDENCE, _RIGHT), (_CONFIDENCE[:8], _RIGHT[2:])),
    ),
    "05.1": Exercise(
        right=_belief(),
        praise="h of row 14 is at index 13, and the output layer makes ten probabilities of it",
        wrong={
            "that is the belief after row 15: row 14 is at index 13": _belief(row=14),
            "that is made from c; the output layer only ever sees h": _belief(take="c"),
            "that is made from c, and after row 15: take h, at index 13": _belief(row=14, take="c"),
            "those are the logits; softmax makes probabilities of them": _belief(curve=lambda z: z),
            "softmax must run over the ten digits, the last axis, not over the images": _belief(
                curve=lambda z: _softmax(z, axis=0)
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
    "06.1": Exercise(
        right=_shift(),
        praise="down and right, in whole pixels, so that the centre of mass comes to pixel 14",
        wrong={
            "the two are exchanged: down is along the rows and comes first": _shift(axes=(0, 1)),
            "the sign: a digit that lies too far up (mean row below 14) must go down, by a positive number": _shift(
                sign=-1
            ),
            "13.5 is the middle of the pixels' numbers, but MNIST's makers took pixel 14": _shift(13.5),
            "images are moved by whole pixels: round": _shift(rounding=float),
            "that cuts the decimals off; round to the nearest whole pixel": _shift(rounding=int),
            "every pixel with ink counts alike in yours; a darker one must weigh more": _shift(
                weigh=lambda image: image > 0
            ),
            "that centres the box around the ink; the centre of mass weighs each pixel by its ink": _middle_of_box,
        },
        inputs=_DRAWINGS,
    ),
    "06.2": Exercise(
        right=_fit(),
        praise="one factor for both sides, the smaller of the two, and no side vanishes",
        wrong={
            "height and width each got a factor of their own: the digit is stretched": (
                lambda height, width, box_height, box_width: (box_height, box_width)
            ),
            "a small digit has to grow: as large as possible": (_fit(lambda *factors: min(*factors, 1))),
            "the larger factor makes the digit stick out of the box; take the smaller": _fit(max),
            "height and width are exchanged: give back the height first": lambda *sizes: _fit()(*sizes)[::-1],
            "cutting the decimals off makes sides too short: round": _fit(rounding=int),
            "a 1 of 3 pixels' width has become 0 wide, so it is gone: keep at least 1": _fit(smallest=0),
            "whole pixels are wanted: round": _fit(rounding=float, smallest=0),
        },
        inputs=_SIZES,
        rtol=1e-9,
    ),
    "06.3": Exercise(
        right=lambda photo: (255 - _shrunk(photo)) / 255,
        praise="ink is high, paper is 0, and rows are rows",
        bug=lambda photo: _shrunk(photo).T / 255,
        todo="it has two bugs: look at what comes out for a photo with one dark line along its upper edge",
        wrong={
            "one bug found, ink is high now; but the digit still lies on its side": (
                lambda photo: (255 - _shrunk(photo).T) / 255
            ),
            "one bug found, the digit stands upright; but its ink is still low and its paper high": (
                lambda photo: _shrunk(photo) / 255
            ),
            "both bugs found, but the values must be scaled to 0..1": lambda photo: 255 - _shrunk(photo),
            "upright, but the values now run from 254 to 255: subtract from 255 first, then divide": (
                lambda photo: 255 - _shrunk(photo) / 255
            ),
            "upright, but ink must be positive: 255 − value, not −value": lambda photo: -_shrunk(photo) / 255,
            "ink is high now, but the digit stands on its head": lambda photo: (255 - _shrunk(photo)[::-1]) / 255,
        },
        inputs=_PHOTO,
    ),
}
