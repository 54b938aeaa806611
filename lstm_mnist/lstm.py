"""The LSTM: its equations, the layer that reads row after row with them, and the classifier of digits."""

import contextlib

import keras
import numpy as np
import tensorflow as tf

from . import faster
from .checks import check_images, check_labels, check_positive

NOT_SCALED = "float images lie outside 0..1: divide them by 255, or give uint8, which is scaled inside"


def lstm_step(z, c):
    """One row of a long short-term memory (Hochreiter and Schmidhuber 1997, forget gate of Gers et al. 2000).

    ``z`` ``[batch, 4 units]`` holds the weighted sums ``x_t @ kernel + h @ recurrent_kernel + bias`` in Keras's order
    i, f, candidate, o; ``c`` ``[batch, units]`` is the old memory. Returns ``(i, f, candidate, o, new c, new h)``,
    each ``[batch, units]``. The plain rows and ``lstm_mnist.inside`` compute by it; the fast rows have TensorFlow's own
    operations, which the tests hold equal to it, and the pad ``pad.js``.
    """
    i, f, candidate, o = tf.split(z, 4, axis=1)
    i, f, candidate, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(candidate), tf.sigmoid(o)
    c = f * c + i * candidate
    h = o * tf.tanh(c)
    return i, f, candidate, o, c, h


def plain_lstm(x, state, kernel, recurrent_kernel, bias, return_sequences=False):
    """``lstm_step`` row after row: the loop of notebook 02, but ``x @ kernel`` is formed for all at once.

    ``state`` is ``(h, c)`` before the first row of ``x`` ``[batch, time_steps, features]``. Returns every ``h``
    (stacked; None without ``return_sequences``), the last ``h`` and the last ``c``, as ``faster.lstm`` does.
    """
    h, c = state
    from_x = tf.tensordot(x, kernel, 1) + bias  # of all rows at once
    outputs = []
    for from_row in tf.unstack(from_x, axis=1):
        z = from_row + h @ recurrent_kernel
        *_, c, h = lstm_step(z, c)
        outputs.append(h)
    return (tf.stack(outputs, axis=1) if return_sequences else None), h, c


@keras.saving.register_keras_serializable("lstm_mnist")
class LSTM(keras.layers.LSTM):
    """``keras.layers.LSTM`` whose loop over the rows is ours, one step a row.

    Arguments, weights, masks, states, dropout and saving are Keras's. ``implementation`` is ``'fast'`` (the arithmetic
    of ``lstm_mnist.faster``; where that cannot serve, in another float type, under XLA, from one state for all, the
    plain one) or ``'plain'`` (``lstm_step``, row after row): the same results up to rounding. What the equations do not
    know (a mask, dropout while training, other activations, no bias) and a number of rows unknown in advance go through
    Keras's own loop, as everything does with Keras's own ``implementation`` 1 or 2. On a GPU nothing was measured;
    Keras's loop, which calls cuDNN there, is expected to be the quicker one. Raises ``ValueError`` for rows that are
    complex, or of another rank than ``[batch, time_steps >= 1, features]``, and ``NotImplementedError`` for a
    derivative of a derivative through ``'fast'``.
    """

    def __init__(self, units, *, implementation="fast", **kwargs):
        units = check_positive("units", units)
        if implementation not in ("fast", "plain", 1, 2):
            raise ValueError(f"implementation is {implementation!r}: use 'fast' or 'plain'")
        if not (kwargs.get("dropout") or kwargs.get("recurrent_dropout")):
            kwargs = {"seed": 0} | kwargs  # nothing to draw: Keras would, and so change what the next layers draw
        super().__init__(units, implementation=1 if implementation == 1 else 2, **kwargs)
        self.implementation = implementation

    def call(self, sequences, initial_state=None, mask=None, training=False):
        if sequences.shape[1] == 0:
            raise ValueError(f"rows have shape {tuple(sequences.shape)}: give at least one row")
        if tf.as_dtype(sequences.dtype).is_complex:
            raise ValueError(f"rows are {tf.as_dtype(sequences.dtype).name}: give real numbers")
        sequences = tf.cast(sequences, self.compute_dtype)
        return super().call(sequences, initial_state, mask, training)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Keras's ``call`` calls this to read the rows; ours where ``lstm_step`` serves, otherwise Keras's own."""
        if mask is not None or sequences.shape[1] is None or not self._is_ours(training):
            return super().inner_loop(sequences, initial_state, mask, training)
        x = tf.reverse(sequences, [1]) if self.go_backwards else sequences
        cell = self.cell
        weights = [tf.convert_to_tensor(weight) for weight in (cell.kernel, cell.recurrent_kernel, cell.bias)]
        one_each = initial_state[0].shape[0] == x.shape[0]  # Keras takes one state for the whole batch, too
        run = faster.lstm if self.implementation == "fast" and one_each and faster.can_run(x) else plain_lstm
        outputs, h, c = run(x, initial_state, *weights, self.return_sequences)
        if not self.return_sequences:
            outputs = h
        return h, outputs, [h, c]  # last output, outputs, states: Keras's order

    def _is_ours(self, training):
        """Whether the equations of ``lstm_step`` are what the layer was asked for."""
        cell = self.cell
        usual = cell.activation is keras.activations.tanh and cell.recurrent_activation is keras.activations.sigmoid
        dropped = training and (cell.dropout or cell.recurrent_dropout)
        return self.implementation in ("fast", "plain") and usual and cell.use_bias and not dropped

    def get_config(self):
        return super().get_config() | {"implementation": self.implementation}


@keras.saving.register_keras_serializable("lstm_mnist")
class LSTMClassifier(keras.Model):
    """Images to logits ``[batch, num_classes]``: an ``LSTM`` reads the rows, a ``Dense`` layer answers after the last.

    Images are uint8 ``[batch, time_steps, num_features]``, scaled by 1/255 inside, or float in 0..1. ``init`` is
    ``'keras'`` or ``'2019'`` (one Glorot draw over the joint kernel, output layer from a standard normal). Raises
    ``ValueError`` for other sizes. A call, ``fit``, ``evaluate``, ``predict`` and ``train_on_batch`` raise it for other
    images or labels, before any work; on a ``tf.data.Dataset``, which cannot be looked at beforehand, at its first
    batch of floats outside 0..1.
    """

    def __init__(self, num_hidden=128, num_classes=10, num_features=28, init="keras", **kwargs):
        if init not in ("keras", "2019"):
            raise ValueError(f"init is {init!r}: use 'keras' or '2019'")
        super().__init__(**kwargs)
        self.num_hidden = check_positive("num_hidden", num_hidden)
        self.num_classes = check_positive("num_classes", num_classes)
        self.num_features = check_positive("num_features", num_features)
        self.init = init
        normal = keras.initializers.RandomNormal(stddev=1.0) if init == "2019" else None
        self.lstm = LSTM(self.num_hidden, name="lstm", dtype=self.dtype_policy)
        start = {"kernel_initializer": normal, "bias_initializer": normal.clone()} if normal else {}
        self.output_layer = keras.layers.Dense(self.num_classes, name="output", dtype=self.dtype_policy, **start)
        self.build((None, None, self.num_features))

    def build(self, input_shape):
        if self.built:
            return
        self.lstm.build(input_shape)
        self.output_layer.build((None, self.num_hidden))
        if self.init == "2019":  # its cell kept W and U as one joint kernel, drawn at once
            joint = keras.initializers.GlorotUniform()((self.num_features + self.num_hidden, 4 * self.num_hidden))
            self.lstm.cell.kernel.assign(joint[: self.num_features])
            self.lstm.cell.recurrent_kernel.assign(joint[self.num_features :])
        self.built = True

    def call(self, images):
        return self.output_layer(self.lstm(self.scale(images)))

    def scale(self, images):
        """Rows in 0..1, in the model's own float type. In a graph, floats outside 0..1 are an error when it runs."""
        if images.dtype == tf.uint8:
            return tf.cast(images, self.compute_dtype) / 255
        if not images.dtype.is_floating:
            raise ValueError(f"images have dtype {images.dtype.name}: use uint8 in 0..255 or float in 0..1")
        if not tf.executing_eagerly():  # otherwise ``check`` has looked
            within = (tf.reduce_min(images) >= -1e-6) & (tf.reduce_max(images) <= 1 + 1e-6)
            tf.debugging.Assert(within, [NOT_SCALED])
        return tf.cast(images, self.compute_dtype)

    def __call__(self, images, *args, **kwargs):
        if isinstance(images, np.ndarray | tf.__internal__.EagerTensor | list | tuple):
            self.check(images)
        return super().__call__(images, *args, **kwargs)

    def check(self, images, labels=None):
        """Raise ``ValueError`` unless the model can read these images (and learn these labels)."""
        check_images(images)
        if images.shape[2] != self.num_features:
            raise ValueError(
                f"images have rows of {images.shape[2]} pixels, this model reads {self.num_features}: "
                f"build one with num_features={images.shape[2]}"
            )
        if labels is not None and np.shape(labels)[1:] in ((), (1,)):  # one-hot ones are left to Keras
            check_labels(np.reshape(labels, -1), len(images), self.num_classes)

    def fit(self, x=None, y=None, **kwargs):
        validation = kwargs.get("validation_data")
        if isinstance(validation, list | tuple) and hasattr(validation[0], "shape"):
            self.check(*validation[:2])
        with self._checked(x, y):
            return super().fit(x, y, **kwargs)

    def train_on_batch(self, x, y=None, **kwargs):
        with self._checked(x, y):
            return super().train_on_batch(x, y, **kwargs)

    def evaluate(self, x=None, y=None, **kwargs):
        with self._checked(x, y):
            return super().evaluate(x, y, **kwargs)

    def predict(self, x, **kwargs):
        with self._checked(x):
            return super().predict(x, **kwargs)

    @contextlib.contextmanager
    def _checked(self, x, y=None):
        """Arrays are looked at before Keras works on them; its error over a dataset's floats is put in one line."""
        if hasattr(x, "shape") or isinstance(x, list | tuple):  # a dataset or generator is not run twice to be seen
            self.check(x, y)
        elif self.jit_compile:  # XLA leaves the assertion of ``scale`` out
            images = tf.nest.flatten(getattr(x, "element_spec", ()))[:1]
            if not images or images[0].dtype != tf.uint8:
                raise ValueError("jit_compile=True looks at no dataset's floats: give uint8, an array, or leave it out")
        try:
            yield
        except tf.errors.InvalidArgumentError as error:
            if NOT_SCALED in error.message:
                raise ValueError(NOT_SCALED) from None  # without TensorFlow's stack around it
            raise

    def get_config(self):
        names = ("num_hidden", "num_classes", "num_features", "init")
        return super().get_config() | {name: getattr(self, name) for name in names}
