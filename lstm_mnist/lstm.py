"""The LSTM layer, written from TensorFlow operations, and the classifier that reads a digit with it."""

import keras
import numpy as np
import tensorflow as tf

from . import faster
from .data import check_images, check_labels, check_positive


@keras.saving.register_keras_serializable("lstm_mnist")
class LSTM(keras.layers.Layer):
    """Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    Maps ``x`` ``[batch, time_steps, features]`` to the last ``h`` ``[batch, units]``, or to every ``h``
    ``[batch, time_steps, units]`` with ``return_sequences``; the last ``h`` and ``c`` follow with ``return_state``.
    Weights are those of ``keras.layers.LSTM``: ``kernel [features, 4 units]``, ``recurrent_kernel [units, 4 units]``,
    ``bias [4 units]``, gates in the order i, f, c, o; ``forget_bias`` is the bias f starts with. The rows are unrolled
    into the graph, one step each; a number of steps unknown in advance runs in a loop. ``implementation`` is ``'fast'``
    (the arithmetic of ``lstm_mnist.fast``, where more than 28 rows run in a loop too) or ``'plain'`` (``step``, row
    after row): the same results up to rounding.
    """

    def __init__(
        self,
        units,
        forget_bias=1.0,
        return_sequences=False,
        return_state=False,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        implementation="fast",
        **kwargs,
    ):
        check_positive("units", units)
        if implementation not in ("fast", "plain"):
            raise ValueError(f"implementation is {implementation!r}: use 'fast' or 'plain'")
        super().__init__(**kwargs)
        self.units = int(units)
        self.forget_bias = forget_bias
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.implementation = implementation

    def build(self, input_shape):
        def bias(shape, dtype=None):
            start = np.zeros(shape)
            start[self.units : 2 * self.units] = self.forget_bias
            return tf.cast(start, dtype)

        gates = 4 * self.units
        self.kernel = self.add_weight((input_shape[-1], gates), self.kernel_initializer, name="kernel")
        self.recurrent_kernel = self.add_weight(
            (self.units, gates), self.recurrent_initializer, name="recurrent_kernel"
        )
        self.bias = self.add_weight((gates,), bias, name="bias")
        super().build(input_shape)

    def step(self, projected_x_t, h, c):
        """One row: ``x_t @ kernel + bias`` ``[batch, 4 units]`` and the old ``h, c`` ``[batch, units]`` to the new."""
        i, f, candidate, o = tf.split(projected_x_t + h @ self.recurrent_kernel, 4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(candidate)
        return tf.sigmoid(o) * tf.tanh(c), c

    def call(self, x, initial_state=None):
        if self.implementation == "fast" and x.shape[1]:
            weights = (tf.convert_to_tensor(weight) for weight in (self.kernel, self.recurrent_kernel, self.bias))
            outputs, h, c = faster.lstm(x, initial_state, *weights, self.return_sequences)
        else:
            outputs, h, c = self._plain(x, initial_state)
        result = outputs if self.return_sequences else h
        return (result, h, c) if self.return_state else result

    def _plain(self, x, initial_state):
        projected = tf.tensordot(x, tf.convert_to_tensor(self.kernel), 1) + self.bias
        h, c = initial_state if initial_state is not None else 2 * [tf.zeros_like(projected[:, 0, : self.units])]
        if x.shape[1] is None:
            rows = tf.transpose(projected, [1, 0, 2])
            every_h, every_c = tf.scan(lambda state, row: self.step(row, *state), rows, (h, c))
            h, c, outputs = every_h[-1], every_c[-1], tf.transpose(every_h, [1, 0, 2])
        else:
            outputs = []
            for row in tf.unstack(projected, axis=1):
                h, c = self.step(row, h, c)
                outputs.append(h)
            outputs = tf.stack(outputs, axis=1) if self.return_sequences else None
        return outputs, h, c

    def get_config(self):
        return super().get_config() | {
            "units": self.units,
            "forget_bias": self.forget_bias,
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": keras.initializers.serialize(self.recurrent_initializer),
            "implementation": self.implementation,
        }


@keras.saving.register_keras_serializable("lstm_mnist")
class LSTMClassifier(keras.Model):
    """Images to logits ``[batch, num_classes]``: an ``LSTM`` reads the rows, a ``Dense`` layer answers after the last.

    Images are uint8 ``[batch, time_steps, num_features]``, scaled by 1/255 inside, or float in 0..1. ``init`` is
    ``'keras'`` or ``'2019'`` (one Glorot draw over the joint kernel, output layer from a standard normal).
    Raises ``ValueError`` for other images, labels or sizes, before any work.
    """

    def __init__(self, num_hidden=128, num_classes=10, num_features=28, init="keras", **kwargs):
        for name, value in (
            ("num_hidden", num_hidden),
            ("num_classes", num_classes),
            ("num_features", num_features),
        ):
            check_positive(name, value)
        if init not in ("keras", "2019"):
            raise ValueError(f"init is {init!r}: use 'keras' or '2019'")
        super().__init__(**kwargs)
        self.num_hidden, self.num_classes, self.num_features = (
            int(num_hidden),
            int(num_classes),
            int(num_features),
        )
        self.init = init
        normal = keras.initializers.RandomNormal(stddev=1.0) if init == "2019" else None
        self.lstm = LSTM(num_hidden, name="lstm", dtype=self.dtype_policy)
        self.output_layer = keras.layers.Dense(
            num_classes,
            kernel_initializer=normal or "glorot_uniform",
            bias_initializer=normal.clone() if normal else "zeros",
            name="output",
            dtype=self.dtype_policy,
        )
        self.build((None, None, num_features))

    def build(self, input_shape):
        if self.built:
            return
        self.lstm.build(input_shape)
        self.output_layer.build((None, self.num_hidden))
        if self.init == "2019":
            joint = keras.initializers.GlorotUniform()((self.num_features + self.num_hidden, 4 * self.num_hidden))
            self.lstm.kernel.assign(joint[: self.num_features])
            self.lstm.recurrent_kernel.assign(joint[self.num_features :])
        self.built = True

    def call(self, images):
        return self.output_layer(self.lstm(self.scale(images)))

    def scale(self, images):
        """Rows in 0..1, in the model's own float type."""
        if images.dtype == tf.uint8:
            return tf.cast(images, self.compute_dtype) / 255
        return tf.cast(images, self.compute_dtype)

    def __call__(self, images, *args, **kwargs):
        if isinstance(images, np.ndarray | tf.__internal__.EagerTensor):
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
        if labels is not None and np.ndim(labels) == 1:
            check_labels(labels, len(images), self.num_classes)

    def fit(self, x=None, y=None, **kwargs):
        self._check_arrays(x, y)
        return super().fit(x, y, **kwargs)

    def evaluate(self, x=None, y=None, **kwargs):
        self._check_arrays(x, y)
        return super().evaluate(x, y, **kwargs)

    def predict(self, x, **kwargs):
        self._check_arrays(x)
        return super().predict(x, **kwargs)

    def _check_arrays(self, x, y=None):
        if hasattr(x, "shape"):  # a tf.data.Dataset or generator is not run twice to be looked at
            self.check(x, y)

    def get_config(self):
        names = ("num_hidden", "num_classes", "num_features", "init")
        return super().get_config() | {name: getattr(self, name) for name in names}
