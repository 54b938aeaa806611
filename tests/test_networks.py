import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_mnist
from lstm_mnist.better import networks


@pytest.fixture(scope="module")
def images():
    return lstm_mnist.load_mnist().train.images[:6]


def lstm_parameters(features, units=128, lstms=1):
    return lstms * 4 * units * (features + units + 1) + (lstms * units + 1) * 10


@pytest.mark.parametrize(
    ("make", "parameters"),
    [
        (networks.logistic_regression, 784 * 10 + 10),
        (networks.mlp, 784 * 128 + 128 + 128 * 10 + 10),
        (networks.convolutional, (25 + 1) * 16 + (25 * 16 + 1) * 32 + 4 * 4 * 32 * 10 + 10),
        (networks.gru, 3 * 128 * (28 + 128 + 2) + 129 * 10),
        (networks.two_layers, lstm_parameters(28) + 4 * 128 * (128 + 128 + 1)),
        (networks.bidirectional, lstm_parameters(28, lstms=2)),
        (networks.four_ways, lstm_parameters(28, lstms=4)),
        (networks.columns, lstm_parameters(28)),
        (networks.rows_and_columns, lstm_parameters(56)),
        (networks.patches, lstm_parameters(16)),
        (networks.shuffled_rows, lstm_parameters(28)),
        (networks.pixels, lstm_parameters(1)),
        (lambda: networks.pixels(keras.layers.SimpleRNN), 128 * (1 + 128 + 1) + 129 * 10),
        (networks.renet, sum(2 * 4 * 32 * (n + 32 + 1) for n in (4, 64, 256, 64)) + 7 * 7 * 64 * 10 + 10),
    ],
)
def test_each_has_the_parameters_its_name_says_and_answers(make, parameters, images):
    model = make()
    assert model.count_params() == parameters
    logits = model(images).numpy()
    assert logits.shape == (6, 10)
    assert np.isfinite(logits).all()
    assert np.ptp(logits, axis=0).min() > 0


@pytest.mark.parametrize(
    ("make", "view"),
    [
        (networks.columns, lambda x: x.transpose(0, 2, 1)),
        (networks.rows_and_columns, lambda x: np.concatenate([x, x.transpose(0, 2, 1)], axis=2)),
        (networks.patches, lambda x: x.reshape(-1, 7, 4, 7, 4).transpose(0, 1, 3, 2, 4).reshape(-1, 49, 16)),
        (networks.shuffled_rows, lambda x: x[:, np.random.default_rng(0).permutation(28)]),
        (networks.pixels, lambda x: x.reshape(-1, 784, 1)),
        (
            lambda: networks.pixels(shuffled=True),
            lambda x: x.reshape(-1, 784, 1)[:, np.random.default_rng(0).permutation(784)],
        ),
    ],
)
def test_a_way_to_cut_the_picture_is_the_lstm_on_the_picture_cut_so(make, view, images):
    model = make()
    cut = view(images)
    plain = lstm_mnist.LSTMClassifier(num_features=cut.shape[2])
    plain.set_weights(model.get_weights())
    np.testing.assert_allclose(model(images), plain(cut), atol=1e-5)


@pytest.mark.parametrize(("make", "ways"), [(networks.bidirectional, 2), (networks.four_ways, 4)])
def test_each_way_sees_its_own_picture(make, ways, images):
    model = make(units=8)
    *weights, output_kernel, output_bias = model.get_weights()
    logits = np.tile(output_bias, (6, 1))
    turned = images.transpose(0, 2, 1)
    for k, view in enumerate((images, images[:, ::-1], turned, turned[:, ::-1])[:ways]):
        plain = lstm_mnist.LSTMClassifier(num_hidden=8)
        plain.set_weights([*weights[3 * k : 3 * k + 3], output_kernel[8 * k : 8 * k + 8], np.zeros(10)])
        logits = logits + plain(view)
    np.testing.assert_allclose(model(images), logits, atol=1e-5)


def test_each_row_of_a_grid_is_swept_there_and_back_by_itself():
    grid = np.random.default_rng(0).random((2, 4, 5, 3), np.float32)
    features = keras.Input((4, 5, 3))
    model = keras.Model(features, networks.swept(features, 6))
    back, there = (layer for layer in model.layers if isinstance(layer, lstm_mnist.LSTM))  # by their depth
    swept = model(grid)
    assert swept.shape == (2, 4, 5, 12)
    for n, row in enumerate(grid.swapaxes(0, 1)):
        both = np.concatenate([there(row), back(row[:, ::-1])[:, ::-1]], axis=2)
        np.testing.assert_allclose(swept[:, n], both, atol=1e-6)


def test_the_second_layer_reads_every_h_of_the_first(images):
    model = networks.two_layers(units=8)
    *weights, output_kernel, output_bias = model.get_weights()
    layers = [lstm_mnist.LSTM(8, return_sequences=True), lstm_mnist.LSTM(8)]
    h = lstm_mnist.data.scale(images)
    for layer, its in zip(layers, (weights[:3], weights[3:]), strict=True):
        layer.build(h.shape)
        layer.set_weights(its)
        h = layer(h)
    np.testing.assert_allclose(model(images), h @ output_kernel + output_bias, atol=1e-5)


def test_the_hidden_layer_is_that_of_numpy(images):
    model = networks.mlp(units=8)
    kernel, bias, output_kernel, output_bias = model.get_weights()
    bias += 0.1
    model.set_weights([kernel, bias, output_kernel, output_bias])
    hidden = np.maximum(0, lstm_mnist.data.scale(images).reshape(6, 784) @ kernel + bias)
    np.testing.assert_allclose(model(images), hidden @ output_kernel + output_bias, atol=1e-5)


def test_the_convolutional_network_takes_the_largest_of_four(images):
    pools = [layer for layer in networks.convolutional().body.layers if "pool" in layer.name]
    patch = np.arange(4, dtype=np.float32).reshape(1, 2, 2, 1)
    assert [float(np.squeeze(pool(patch))) for pool in pools] == [3, 3]


def test_without_a_forget_bias_nothing_else_differs():
    models = []
    for make in (lstm_mnist.LSTMClassifier, networks.without_forget_bias):
        keras.utils.set_random_seed(0)
        models.append(make())
    *kernels, bias, output_kernel, output_bias = models[0].get_weights()
    expected = [*kernels, np.zeros_like(bias), output_kernel, output_bias]
    assert bias.sum() == 128
    for ours, theirs in zip(models[1].get_weights(), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_softmax_twice_is_the_fault_of_notebook_03(images):
    labels = lstm_mnist.load_mnist().train.labels[:6]
    model, sound = networks.SoftmaxTwice(init="2019"), lstm_mnist.LSTMClassifier()
    sound.set_weights(model.get_weights())
    np.testing.assert_allclose(model(images), sound(images), atol=1e-6)
    with tf.GradientTape() as tape:
        loss, _ = lstm_mnist.loss_and_accuracy(labels, tf.nn.softmax(sound(images)))
    expected = tape.gradient(loss, sound.trainable_variables)
    gradients, its_loss, _ = lstm_mnist.compute_gradients(model, images, labels, 0)
    assert float(its_loss) == pytest.approx(float(loss), rel=1e-5)
    for ours, theirs in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_wrong_images_meet_the_same_clear_error(images):
    with pytest.raises(ValueError, match="rows of 20 pixels, this model reads 28"):
        networks.mlp().check(images[:, :, :20])


def test_a_neighbour_learns_in_the_same_loop():
    split = lstm_mnist.load_mnist().train
    history = lstm_mnist.train(networks.logistic_regression(), split, 100, seed=0, watchers=())
    assert history.loss[-10:].mean() < history.loss[0] / 2
