"""Other networks that read the same digits, to compare the LSTM with; the plain RNN is ``inside.RNNClassifier``."""

import keras
import numpy as np

from ..lstm import LSTM, LSTMClassifier


class Neighbour(keras.Model):
    """Images to logits through ``body``, a Keras model of rows float ``[batch, rows, columns]``, scaled and checked
    as by ``LSTMClassifier``."""

    check, scale = LSTMClassifier.check, LSTMClassifier.scale

    def __init__(self, body, **kwargs):
        super().__init__(**kwargs)
        self.body = body
        self.num_features, self.num_classes = body.input_shape[2], body.output_shape[1]
        self.built = True

    def call(self, images):
        return self.body(self.scale(images))


def _neighbour(*layers):
    rows = x = keras.Input((28, 28))
    for layer in (*layers, keras.layers.Dense(10)):
        x = layer(x)
    return Neighbour(keras.Model(rows, x))


def logistic_regression():
    """Each pixel has a weight for each digit; they are added up."""
    return _neighbour(keras.layers.Flatten())


def mlp(units=128):
    """One hidden layer of ReLU units that see all pixels at once."""
    return _neighbour(keras.layers.Flatten(), keras.layers.Dense(units, "relu"))


def convolutional():
    """Two convolutions of 5 x 5, each with a maximum over 2 x 2 (LeCun et al. 1998 in today's parts)."""
    parts = []
    for filters in (16, 32):
        parts += [keras.layers.Conv2D(filters, 5, activation="relu"), keras.layers.MaxPooling2D()]
    return _neighbour(keras.layers.Reshape((28, 28, 1)), *parts, keras.layers.Flatten())


def gru(units=128):
    """Two gates and no c (Cho et al. 2014)."""
    return _neighbour(keras.layers.GRU(units, unroll=True))


def two_layers(units=128):
    """A second LSTM reads the first one's h."""
    return _neighbour(LSTM(units, return_sequences=True), LSTM(units))


def bidirectional(units=128):
    """One LSTM down the rows and one up (Schuster and Paliwal 1997); their last states answer together."""
    return _ways(units, lambda rows: (rows, keras.ops.flip(rows, 1)))


def four_ways(units=128):
    """One LSTM down the rows, one up, one along the columns, one back; their last states answer together."""

    def ways(rows):
        columns = keras.ops.transpose(rows, (0, 2, 1))
        return rows, keras.ops.flip(rows, 1), columns, keras.ops.flip(columns, 1)

    return _ways(units, ways)


def _ways(units, ways):
    rows = keras.Input((28, 28))
    states = keras.ops.concatenate([LSTM(units)(way) for way in ways(rows)], axis=1)
    return Neighbour(keras.Model(rows, keras.layers.Dense(10)(states)))


def columns(units=128):
    """The picture read column by column."""
    return _neighbour(keras.layers.Permute((2, 1)), LSTM(units))


def rows_and_columns(units=128):
    """Step t sees row t and column t: 28 steps of 56 pixels."""
    both = keras.layers.Lambda(lambda x: keras.ops.concatenate([x, keras.ops.transpose(x, (0, 2, 1))], axis=2))
    return _neighbour(both, LSTM(units))


def patches(size=4, units=128):
    """Squares of ``size`` x ``size`` pixels in reading order: 49 steps of 16 pixels."""
    side = 28 // size
    return _neighbour(*_squares(side, size), keras.layers.Reshape((side**2, size**2)), LSTM(units))


def _squares(side, size, features=1):
    """Layers that cut a picture into ``side`` x ``side`` squares: ``[batch, side, side, size**2 features]``."""
    return (
        keras.layers.Reshape((side, size, side, size, features)),
        keras.layers.Permute((1, 3, 2, 4, 5)),
        keras.layers.Reshape((side, side, size**2 * features)),
    )


def shuffled_rows(units=128):
    """The rows in one random order, the same for every digit."""
    order = np.random.default_rng(0).permutation(28)
    return _neighbour(keras.layers.Lambda(lambda x: keras.ops.take(x, order, axis=1)), LSTM(units))


def pixels(units=128):
    """One pixel a step: 784 steps (Le et al. 2015)."""
    return _neighbour(keras.layers.Reshape((784, 1)), LSTM(units))


@keras.saving.register_keras_serializable("lstm_mnist")
class Sweep(keras.layers.Layer):
    """A grid of features float ``[batch, rows, columns, n]`` read along each column (or row), there and back: one LSTM
    for each way, the same for all columns. The result ``[batch, rows, columns, 2 units]`` knows the whole line."""

    def __init__(self, units, along_rows=False, **kwargs):
        super().__init__(**kwargs)
        self.units, self.along_rows = units, along_rows
        self.there, self.back = (LSTM(units, return_sequences=True) for _ in range(2))

    def build(self, shape):
        for lstm in (self.there, self.back):
            lstm.build((None, shape[2] if self.along_rows else shape[1], shape[3]))

    def call(self, grid):
        grid = grid if self.along_rows else keras.ops.transpose(grid, (0, 2, 1, 3))
        lines, length, features = grid.shape[1:]
        sequences = keras.ops.reshape(grid, (-1, length, features))
        both = [self.there(sequences), keras.ops.flip(self.back(keras.ops.flip(sequences, 1)), 1)]
        grid = keras.ops.reshape(keras.ops.concatenate(both, axis=2), (-1, lines, length, 2 * self.units))
        return grid if self.along_rows else keras.ops.transpose(grid, (0, 2, 1, 3))


def renet(units=32):
    """Squares of 2 x 2 swept by LSTMs along columns, then rows; twice (after Visin et al. 2015, arXiv 1505.00393)."""
    layers = []
    for side, features in ((14, 1), (7, 2 * units)):
        layers += [*_squares(side, 2, features), Sweep(units), Sweep(units, along_rows=True)]
    return _neighbour(*layers, keras.layers.Flatten(), keras.layers.Dropout(0.5))
