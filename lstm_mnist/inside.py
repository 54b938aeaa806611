"""What happens inside the LSTM while it reads: gates, memory and belief after every row, and what they depend on."""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from .data import check_images, check_labels, check_positive
from .lstm import LSTMClassifier

GATES = ("i", "f", "o")


class Trace(NamedTuple):
    """All that an LSTM computes, after every row: float arrays ``[n, time_steps, units]``."""

    i: np.ndarray  # input gate, 0 shut … 1 open
    f: np.ndarray  # forget gate, 0 forgets … 1 keeps
    candidate: np.ndarray  # what is offered to the memory, −1 … 1
    o: np.ndarray  # output gate, 0 hides … 1 shows
    c: np.ndarray  # the memory, without bounds
    h: np.ndarray  # what is shown of it, −1 … 1
    logits: np.ndarray  # [n, time_steps, num_classes]: the output layer's answer to h after each row


class StateGradients(NamedTuple):
    """Mean over images of ‖∂loss/∂state‖ after every row: float arrays ``[time_steps]``."""

    h: np.ndarray  # through what is shown alone
    c: np.ndarray | None  # through the memory and all it feeds; None for a plain RNN, which has none


def walk(layer, x, open_gates=()):
    """The states of an ``LSTM`` layer, row by row: a list of tensors (i, f, candidate, o, c, h), each ``[batch, units]``.

    ``x`` is ``[batch, time_steps, features]``. This is the arithmetic of the six equations, from the layer's weights
    alone, however the layer itself computes. Gates named in ``open_gates`` are fixed at 1.
    """
    h = c = tf.zeros((tf.shape(x)[0], layer.units), x.dtype)
    rows = []
    for x_t in tf.unstack(x, axis=1):
        z_i, z_f, z_candidate, z_o = tf.split(x_t @ layer.kernel + h @ layer.recurrent_kernel + layer.bias, 4, axis=1)
        i, f, o = (
            tf.ones_like(z) if gate in open_gates else tf.sigmoid(z)
            for gate, z in zip(GATES, (z_i, z_f, z_o), strict=True)
        )
        candidate = tf.tanh(z_candidate)
        c = f * c + i * candidate
        h = o * tf.tanh(c)
        rows.append((i, f, candidate, o, c, h))
    return rows


def trace(model, images, open_gates=()):
    """The ``Trace`` of an ``LSTMClassifier`` over images ``[n, rows, columns]``, uint8 or float in 0..1.

    Gates named in ``open_gates``, of ``'i'``, ``'f'`` and ``'o'``, are fixed open. It holds about 3 kB a row of each
    digit: take 1,000 digits at a time. Raises ``TypeError`` for a model of another kind, ``ValueError`` for images
    the model cannot read, an empty batch included, or a gate of another name.
    """
    if not isinstance(model, LSTMClassifier):
        raise TypeError(f"model is a {type(model).__name__}: trace reads the gates of an lstm_mnist.LSTMClassifier")
    if unknown := [gate for gate in open_gates if gate not in GATES]:
        raise ValueError(f"open_gates names {unknown[0]!r}: use {', '.join(map(repr, GATES))}")
    images = np.asarray(images)
    model.check(images)
    rows = walk(model.lstm, model.scale(tf.constant(images)), open_gates)
    states = [tf.stack(state, axis=1) for state in zip(*rows, strict=True)]
    return Trace(*(np.asarray(state) for state in states), np.asarray(model.output_layer(states[-1])))


def beliefs(model, images, open_gates=(), batch_size=1000):
    """What the model would answer after each row: softmax probabilities float32 ``[n, time_steps, num_classes]``."""
    check_positive("batch_size", batch_size)
    images = np.asarray(images)
    check_images(images)
    parts = [
        tf.nn.softmax(trace(model, images[start : start + batch_size], open_gates).logits).numpy()
        for start in range(0, len(images), batch_size)
    ]
    return np.concatenate(parts)


def accuracy_by_row(probabilities, labels):
    """Share of right answers after each row, float64 ``[time_steps]``, from ``beliefs`` ``[n, time_steps, classes]``."""
    probabilities = _checked_beliefs(probabilities)
    check_labels(labels, len(probabilities), probabilities.shape[2])
    return np.mean(probabilities.argmax(axis=2) == np.asarray(labels)[:, None], axis=0)


def decision_rows(probabilities):
    """The row, counted from 1, after which each answer is the final one and stays so: int64 ``[n]``."""
    answers = _checked_beliefs(probabilities).argmax(axis=2)
    other = answers != answers[:, -1:]
    return np.where(other.any(axis=1), other.shape[1] - other[:, ::-1].argmax(axis=1) + 1, 1)


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
        self.num_hidden, self.num_classes, self.num_features = num_hidden, num_classes, num_features
        self.rnn = keras.layers.SimpleRNN(num_hidden, name="rnn")
        self.output_layer = keras.layers.Dense(num_classes, name="output")
        self.rnn.build((None, None, num_features))
        self.output_layer.build((None, num_hidden))
        self.built = True

    def states(self, x):
        """h after each row: a list of ``[batch, num_hidden]``, for ``x`` ``[batch, time_steps, num_features]``."""
        cell = self.rnn.cell
        h = tf.zeros((tf.shape(x)[0], self.num_hidden), x.dtype)
        rows = []
        for x_t in tf.unstack(x, axis=1):
            h = tf.tanh(x_t @ cell.kernel + h @ cell.recurrent_kernel + cell.bias)
            rows.append(h)
        return rows

    def call(self, images):
        return self.output_layer(self.states(self.scale(images))[-1])


class OpenGateClassifier(LSTMClassifier):
    """An ``LSTMClassifier`` that learns and answers with the gates named in ``open_gates`` fixed at 1."""

    def __init__(self, open_gates, **kwargs):
        super().__init__(**kwargs)
        self.open_gates = tuple(open_gates)

    def call(self, images):
        return self.output_layer(walk(self.lstm, self.scale(images), self.open_gates)[-1][-1])


def train_every_row(model, split, steps=5000, batch_size=128, seed=0):
    """Train an ``LSTMClassifier`` to answer after every row: the mean cross-entropy over all rows, Adam at 0.001.

    The batches are those of ``lstm_mnist.train``. Returns the losses, float32 ``[steps]``, in nats.
    """
    check_positive("steps", steps)
    optimizer = keras.optimizers.Adam(learning_rate=0.001)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            h = tf.stack([row[-1] for row in walk(model.lstm, model.scale(images))], axis=1)
            logits = model.output_layer(h)
            every = tf.repeat(tf.cast(labels, tf.int64)[:, None], tf.shape(logits)[1], axis=1)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(every, logits))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    losses = []
    for n in range(steps):
        batch = split.batch_indices(n, batch_size, seed)
        losses.append(step(tf.constant(split.images[batch]), tf.constant(split.labels[batch])))
    return np.asarray(losses)
