"""What happens inside the LSTM while it reads: gates, memory and belief after every row, and what they depend on."""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from .checks import check_images, check_labels, check_positive
from .lstm import LSTMClassifier, lstm_step

GATES = ("i", "f", "o")

SHOWN_STATES = ("f", "i", "candidate", "c", "o")

HERO = 9018  # the test image of the hero picture: a 2 that sets out as a 9, a 7 and a 3


class Trace(NamedTuple):
    """All that an LSTM computes, after every row: float arrays ``[n, time_steps, units]``."""

    i: np.ndarray  # input gate, 0 shut … 1 open
    f: np.ndarray  # forget gate, 0 forgets … 1 keeps
    candidate: np.ndarray  # what is offered to the memory, −1 … 1
    o: np.ndarray  # output gate, 0 hides … 1 shows
    c: np.ndarray  # the memory, without bounds
    h: np.ndarray  # what is shown of it, −1 … 1
    logits: np.ndarray  # [n, time_steps, num_classes]: the output layer's answer to h after each row


def walk(layer, x, open_gates=()):
    """The states of an ``LSTM`` layer after each row: a list of (i, f, candidate, o, c, h) ``[batch, units]``.

    ``x`` is a tensor ``[batch, time_steps, features]``. It is the arithmetic of the six equations, from the layer's
    weights alone, however the layer itself computes. Gates named in ``open_gates`` are fixed at 1.
    """
    opened = np.repeat([name in open_gates for name in Trace._fields[:4]], layer.units)
    h = c = tf.zeros((tf.shape(x)[0], layer.units), x.dtype)
    rows = []
    for x_t in tf.unstack(x, axis=1):
        z = weighted_sums(layer, x_t, h)
        if open_gates:
            z = tf.where(opened, tf.constant(np.inf, z.dtype), z)  # the sigmoid of inf is 1
        rows.append(lstm_step(z, c))
        *_, c, h = rows[-1]
    return rows


def weighted_sums(layer, x_t, h):
    """What the weights of an LSTM or a plain RNN make of one row and the old ``h``, in the precision of ``h``."""
    kernel, recurrent_kernel, bias = (tf.cast(weight, h.dtype) for weight in layer.weights)
    return x_t @ kernel + h @ recurrent_kernel + bias


def trace(model, images, open_gates=()):
    """The ``Trace`` of an ``LSTMClassifier`` over images ``[n, rows, columns]``, uint8 or float in 0..1.

    Gates named in ``open_gates``, of ``'i'``, ``'f'`` and ``'o'``, are fixed open. It holds about 3 kB a row of each
    digit: take 1,000 digits at a time. Raises ``TypeError`` for a model of another kind or gates
    that are no text, ``ValueError`` for images the model cannot read, an empty batch included, or another gate.
    """
    open_gates = _checked_gates(open_gates)
    images = _checked_images(model, images)
    rows = walk(model.lstm, model.scale(tf.constant(images)), open_gates)
    states = [np.stack(state, axis=1) for state in zip(*rows, strict=True)]
    return Trace(*states, model.output_layer(states[-1]).numpy())


def beliefs(model, images, open_gates=()):
    """What the model would answer after each row: softmax probabilities ``[n, time_steps, num_classes]``.

    They are in the model's own float type. Raises what ``trace`` does.
    """
    images = _checked_images(model, images)
    parts = np.array_split(images, max(len(images) // 500, 1))
    return np.concatenate([tf.nn.softmax(trace(model, part, open_gates).logits) for part in parts])


def accuracy_by_row(probabilities, labels):
    """Share of right answers after each row: float64 ``[time_steps]``, of beliefs ``[n, time_steps, num_classes]``."""
    probabilities = _checked_beliefs(probabilities)
    check_labels(labels, len(probabilities), probabilities.shape[2])
    return np.mean(probabilities.argmax(axis=2) == np.asarray(labels)[:, None], axis=0)


def decision_rows(probabilities):
    """The row, counted from 1, after which each answer is the final one and stays so: int64 ``[n]``."""
    answers = _checked_beliefs(probabilities).argmax(axis=2)
    differs = answers != answers[:, -1:]
    last_to_differ = differs.shape[1] - differs[:, ::-1].argmax(axis=1)  # counted from 1
    return np.where(differs.any(axis=1), last_to_differ + 1, 1)


def busiest_cells(c, number=32):
    """The cells whose memory moves most over one digit's ``c`` ``[time_steps, units]``: indices, at most ``number``.

    Movement is the standard deviation over rows; the cells come in the order of the row where abs(c) is greatest.
    """
    number = check_positive("number", number)
    chosen = np.argsort(-np.std(c, axis=0), kind="stable")[:number]
    return chosen[np.argsort(np.abs(c[:, chosen]).argmax(axis=0), kind="stable")]


def _checked_images(model, images, *others):
    """``images`` as an array; ``TypeError`` for a model that does not compute as ``LSTMClassifier`` or ``others``."""
    kinds = (LSTMClassifier, EveryRowClassifier, *others)
    if getattr(type(model), "call", None) not in [kind.call for kind in kinds]:
        raise TypeError(f"model is a {type(model).__name__}: its rows are not those of an lstm_mnist.LSTMClassifier")
    images = np.asarray(images)
    model.check(images)
    return images


def _checked_gates(open_gates):
    if not isinstance(open_gates, str | tuple | list):
        raise TypeError(f"open_gates is {open_gates!r}: give a text such as 'fo'")
    if unknown := [gate for gate in open_gates if gate not in GATES]:
        raise ValueError(f"open_gates names {unknown[0]!r}: use {', '.join(map(repr, GATES))}")
    return tuple(open_gates)


def _checked_beliefs(probabilities):
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 3 or 0 in probabilities.shape:
        raise ValueError(f"beliefs have shape {probabilities.shape}: expected [n, time_steps, num_classes] with n >= 1")
    return probabilities


class RNNClassifier(keras.Model):
    """The same reading with a plain RNN: h_t = tanh(x_t kernel + h_(t-1) recurrent_kernel + bias), no gates, no c."""

    check, scale = LSTMClassifier.check, LSTMClassifier.scale

    def __init__(self, num_hidden=128, num_classes=10, num_features=28, **kwargs):
        super().__init__(**kwargs)
        self.num_hidden = check_positive("num_hidden", num_hidden)
        self.num_classes = check_positive("num_classes", num_classes)
        self.num_features = check_positive("num_features", num_features)
        self.rnn = keras.layers.SimpleRNN(self.num_hidden, name="rnn", dtype=self.dtype_policy)
        self.output_layer = keras.layers.Dense(self.num_classes, name="output", dtype=self.dtype_policy)
        self.rnn.build((None, None, self.num_features))
        self.output_layer.build((None, self.num_hidden))
        self.built = True

    def states(self, x):
        """h after each row: a list of ``[batch, num_hidden]``, for ``x`` ``[batch, time_steps, num_features]``."""
        h = tf.zeros((tf.shape(x)[0], self.num_hidden), x.dtype)
        rows = []
        for x_t in tf.unstack(x, axis=1):
            h = tf.tanh(weighted_sums(self.rnn, x_t, h))
            rows.append(h)
        return rows

    def call(self, images):
        return self.output_layer(self.states(self.scale(images))[-1])


class OpenGateClassifier(LSTMClassifier):
    """An ``LSTMClassifier`` that learns and answers with the gates named in ``open_gates`` fixed at 1."""

    def __init__(self, open_gates, **kwargs):
        super().__init__(**kwargs)
        self.open_gates = _checked_gates(open_gates)

    def call(self, images):
        return self.output_layer(walk(self.lstm, self.scale(images), self.open_gates)[-1][-1])


@keras.saving.register_keras_serializable("lstm_mnist")
class OneTanhClassifier(LSTMClassifier):
    """An ``LSTMClassifier`` without the second tanh: what it shows is h = o · c, not h = o · tanh(c)."""

    def call(self, images):
        x = self.scale(images)
        h = c = tf.zeros((tf.shape(x)[0], self.num_hidden), x.dtype)
        for x_t in tf.unstack(x, axis=1):
            _, _, _, o, c, _ = lstm_step(weighted_sums(self.lstm, x_t, h), c)
            h = o * c
        return self.output_layer(h)


@keras.saving.register_keras_serializable("lstm_mnist")
class EveryRowClassifier(LSTMClassifier):
    """An ``LSTMClassifier`` that learns to answer after every row.

    In training its logits are ``[batch, rows, num_classes]``, otherwise those after the last row.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.lstm.return_sequences = True

    def call(self, images, training=False):
        every_h = self.lstm(self.scale(images))
        return self.output_layer(every_h if training else every_h[:, -1])


def state_gradients(model, images, labels):
    """How far a nudge to each row's state is felt: the mean over images of ‖∂loss/∂h‖ and ‖∂loss/∂c‖, ``[time_steps]``.

    ``model`` is an ``LSTMClassifier``, or an ``RNNClassifier``, which has no c: ``None`` stands in its place. The loss
    is each image's own cross-entropy after the last row, in nats. A nudge to h goes on through the next row's weighted
    sums alone, in the last row through the output layer; one to c through that row's h too, and through the next row's
    c.
    """
    images = _checked_images(model, images, RNNClassifier)
    check_labels(labels, len(images), model.num_classes)
    x = model.scale(tf.constant(images))
    with tf.GradientTape() as tape:
        if isinstance(model, RNNClassifier):
            h, c = model.states(x), []
        else:
            *_, c, h = zip(*walk(model.lstm, x), strict=True)
        truth, logits = tf.cast(labels, tf.int64), model.output_layer(h[-1])
        loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(truth, logits))
    gradients = tape.gradient(loss, [*h, *c])
    norms = tf.stack([tf.reduce_mean(tf.norm(gradient, axis=1)) for gradient in gradients]).numpy()
    return norms[: len(h)], norms[len(h) :] if c else None


def pixel_gradients(model, images):
    """∂ log p(answer) / ∂ pixel, of pixels in 0..1: ``[n, rows, columns]`` in the model's float type."""
    images = _checked_images(model, images)
    x = model.scale(tf.constant(images))
    with tf.GradientTape() as tape:
        tape.watch(x)
        log_p = tf.nn.log_softmax(model.output_layer(walk(model.lstm, x)[-1][-1]))
        loss = tf.reduce_sum(tf.reduce_max(log_p, axis=1))
    return tape.gradient(loss, x).numpy()


def occlusion(model, image, patch=5):
    """How much log p(answer) falls when a square of ``patch`` pixels is blanked: ``[rows, columns]``.

    Each value belongs to the square's middle, for one image ``[rows, columns]``, in the model's float type. Raises
    ``TypeError`` or ``ValueError`` for a model, an image or a patch that will not do.
    """
    patch = check_positive("patch", patch)
    image = np.asarray(image)
    if not hasattr(model, "check"):
        raise TypeError(f"model is a {type(model).__name__}: give an lstm_mnist.LSTMClassifier")
    model.check(image[None])
    rows, columns = image.shape
    half = patch // 2
    covered = np.repeat(image[None], rows * columns + 1, axis=0)  # the last one stays whole
    for k, (row, column) in enumerate(np.ndindex(rows, columns)):
        top, left = row - half, column - half
        covered[k, max(top, 0) : top + patch, max(left, 0) : left + patch] = 0
    log_p = tf.nn.log_softmax(model.predict(covered, verbose=0)).numpy()
    answer = log_p[-1].argmax()
    return (log_p[-1, answer] - log_p[:-1, answer]).reshape(rows, columns)


def row_properties(images):
    """What can be said of an image after each row, by looking at it: a dict of float64 ``[n, time_steps]``.

    ``ink``: mean pixel of the row, 0..1; ``side``: the ink's middle, −1 all left … 1 all right, 0 in a blank row;
    ``strokes``: pieces of ink in the row; ``loop``: 1 once the rows read so far enclose a blank region, else 0.
    A pixel of 128 or more is ink.
    """
    images = np.asarray(images)
    check_images(images)
    grey = images / 255 if images.dtype == np.uint8 else images.astype(np.float64)
    ink = grey >= 0.5
    total = grey.sum(axis=2)
    side = (grey * np.linspace(-1, 1, grey.shape[2])).sum(axis=2) / np.maximum(total, 1e-9)
    starts = ink & ~np.pad(ink, ((0, 0), (0, 0), (1, 0)))[:, :, :-1]
    closed_at = _loop_closes(ink)
    loop = np.arange(1, ink.shape[1] + 1) >= closed_at[:, None]
    return {"ink": total / grey.shape[2], "side": side, "strokes": starts.sum(axis=2) * 1.0, "loop": loop * 1.0}


def _loop_closes(ink):
    """The row, counted from 1, that closes each image's first loop: int16 ``[n]``, rows + 2 where there is none.

    A blank region is enclosed as soon as the row under its lowest pixel is read. What is not enclosed reaches the last
    row of a blank frame around the image.
    """
    blank = np.pad(~ink, ((0, 0), (1, 1), (1, 1)), constant_values=True)
    row = np.arange(blank.shape[1], dtype=np.int16)[:, None]  # counted from 1 in the image: the frame's first is 0
    lowest = _spread(np.where(blank, row, 0), blank)
    return np.where(blank, lowest, row[-1]).min(axis=(1, 2)) + 1


def _spread(values, where):
    """The greatest value reachable from each pixel over its four neighbours, without leaving ``where``."""
    while True:
        old = values
        for shift, axis in ((1, 1), (-1, 1), (1, 2), (-1, 2)):  # round the edges, too: there all is outside
            values = np.maximum(values, np.roll(values, shift, axis)) * where
        if np.array_equal(values, old):
            return values


def shown_states(model, image, number=32):
    """The states of one image ``[rows, columns]`` for a picture: a dict of ``[time_steps, cells]``.

    They are those of the busiest cells, at most ``number``.
    """
    traced = trace(model, np.asarray(image)[None])
    cells = busiest_cells(traced.c[0], number)
    return {name: getattr(traced, name)[0][:, cells] for name in SHOWN_STATES}
