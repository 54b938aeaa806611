"""Other networks that read the same digits, to compare the LSTM with.

Each function but ``swept`` makes one, untrained, of images ``[batch, 28, 28]`` to logits ``[batch, 10]``. The plain
RNN is ``inside.RNNClassifier``. A new one is trained once it has a name among ``recipes.RECIPES`` (and in the
Makefile); notebook 09 compares it once ``python -m lstm_mnist weights NAME --keep`` has put its runs into the ledger.
"""

import keras
import numpy as np

from ..lstm import LSTM, LSTMClassifier


class Neighbour(keras.Model):
    """Images to logits through ``body``, a Keras model that reads rows float ``[batch, rows, columns]``.

    Images are scaled as by ``LSTMClassifier``; ``check``, which ``train`` asks first, raises its errors.
    """

    check = LSTMClassifier.check
    scale = LSTMClassifier.scale

    def __init__(self, body, **kwargs):
        super().__init__(**kwargs)
        self.body = body
        self.num_features, self.num_classes = body.input_shape[2], body.output_shape[1]
        self.built = True

    def call(self, images):
        return self.body(self.scale(images))


def _in_a_row(*layers):
    """The rows of an image through ``layers``, one after the other, and ten logits from what they give."""
    body = keras.Sequential([keras.Input((28, 28)), *layers, keras.layers.Dense(10)])
    return Neighbour(body)


def logistic_regression():
    """Each pixel has a weight for each digit; they are added up."""
    return _in_a_row(keras.layers.Flatten())


def mlp(units=128):
    """One hidden layer of ReLU units that see all pixels at once."""
    return _in_a_row(keras.layers.Flatten(), keras.layers.Dense(units, "relu"))


def convolutional():
    """Two convolutions of 5 x 5, each with a maximum over 2 x 2 (LeCun et al. 1998 in today's parts)."""
    parts = []
    for filters in (16, 32):
        parts += [keras.layers.Conv2D(filters, 5, activation="relu"), keras.layers.MaxPooling2D()]
    return _in_a_row(keras.layers.Reshape((28, 28, 1)), *parts, keras.layers.Flatten())


def gru():
    """Two gates and no c (Cho et al. 2014)."""
    return _in_a_row(keras.layers.GRU(128, unroll=True))


def two_layers(units=128):
    """A second LSTM reads the first one's h."""
    return _in_a_row(LSTM(units, return_sequences=True), LSTM(units))


def bidirectional(units=128):
    """One LSTM down the rows and one up (Schuster and Paliwal 1997); their last states answer together."""
    rows = keras.Input((28, 28))
    return _side_by_side(rows, [rows, keras.ops.flip(rows, 1)], units)


def four_ways(units=128):
    """One LSTM down the rows, one up, one along the columns, one back; their last states answer together."""
    rows = keras.Input((28, 28))
    columns = keras.ops.transpose(rows, (0, 2, 1))
    return _side_by_side(rows, [rows, keras.ops.flip(rows, 1), columns, keras.ops.flip(columns, 1)], units)


def _side_by_side(rows, ways, units):
    """An LSTM for each of the ``ways`` to look at ``rows``; ten logits from their last h together."""
    states = keras.ops.concatenate([LSTM(units)(way) for way in ways], axis=1)
    return Neighbour(keras.Model(rows, keras.layers.Dense(10)(states)))


def columns():
    """The picture read column by column."""
    return _in_a_row(keras.layers.Permute((2, 1)), LSTM(128))


def rows_and_columns():
    """Step t sees row t and column t: 28 steps of 56 pixels."""
    both = keras.layers.Lambda(lambda x: keras.ops.concatenate([x, keras.ops.transpose(x, (0, 2, 1))], axis=2))
    return _in_a_row(both, LSTM(128))


def patches():
    """Squares of 4 x 4 pixels in reading order: 49 steps of 16 pixels."""
    return _in_a_row(*_squares(7, 4), keras.layers.Reshape((49, 16)), LSTM(128))


def _squares(side, size, features=1):
    """Layers that cut a picture into ``side`` x ``side`` squares: ``[batch, side, side, size**2 features]``."""
    return (
        keras.layers.Reshape((side, size, side, size, features)),
        keras.layers.Permute((1, 3, 2, 4, 5)),
        keras.layers.Reshape((side, side, size**2 * features)),
    )


def shuffled_rows():
    """The rows in one random order, the same for every digit."""
    return _in_a_row(_shuffle(28), LSTM(128))


def _shuffle(steps):
    """A layer that puts the steps of a sequence into one random order, always the same."""
    order = np.random.default_rng(0).permutation(steps)
    return keras.layers.Lambda(lambda x: keras.ops.take(x, order, axis=1))


def pixels(layer=LSTM, shuffled=False):
    """One pixel a step: 784 steps, in reading order or ``shuffled`` (Le et al. 2015), read by a recurrent ``layer``."""
    cut = [keras.layers.Reshape((784, 1))]
    if shuffled:
        cut.append(_shuffle(784))
    return _in_a_row(*cut, layer(128))


def without_forget_bias():
    """The LSTM with all biases 0 at the start; Keras, and all else here, gives the forget gate 1."""
    model = LSTMClassifier()
    model.lstm.cell.bias.assign(np.zeros(model.lstm.cell.bias.shape))
    return model


def relu():
    """The LSTM with ReLU in place of both tanh, so that nothing keeps its candidate and h below 1."""
    return _in_a_row(LSTM(128, activation="relu"))


def dropout():
    """The LSTM; in training a fifth of the last h, drawn anew for each digit, does not reach the output layer."""
    return _in_a_row(LSTM(128), keras.layers.Dropout(0.2))


def recurrent_dropout():
    """The LSTM; in training a fifth of h, the same at each row, is kept from each of the next row's gates."""
    return _in_a_row(LSTM(128, recurrent_dropout=0.2))


class SoftmaxTwice(LSTMClassifier):
    """The LSTM with a fault of notebook 03: in training it gives probabilities, and the loss applies softmax again."""

    def call(self, images, training=False):
        logits = super().call(images)
        return keras.ops.softmax(logits) if training else logits


def swept(grid, units):
    """Two LSTMs read each row of a grid of features, one there and one back, the same two for all rows.

    From float ``[batch, rows, columns, n]`` to ``[batch, rows, columns, 2 units]``: each place then knows its row.
    """
    rows, columns, features = grid.shape[1:]
    sequences = keras.ops.reshape(grid, (-1, columns, features))
    there = LSTM(units, return_sequences=True)(sequences)
    back = LSTM(units, return_sequences=True)(keras.ops.flip(sequences, 1))
    both = keras.ops.concatenate([there, keras.ops.flip(back, 1)], axis=2)
    return keras.ops.reshape(both, (-1, rows, columns, 2 * units))


def renet():
    """Squares of 2 x 2 swept by LSTMs along columns, then rows; twice (after Visin et al. 2015, arXiv 1505.00393)."""
    pixels = grid = keras.Input((28, 28))
    for side, features in ((14, 1), (7, 64)):
        for layer in _squares(side, 2, features):
            grid = layer(grid)
        grid = keras.ops.swapaxes(swept(keras.ops.swapaxes(grid, 1, 2), 32), 1, 2)
        grid = swept(grid, 32)
    state = keras.layers.Dropout(0.5)(keras.layers.Flatten()(grid))
    return Neighbour(keras.Model(pixels, keras.layers.Dense(10)(state)))
