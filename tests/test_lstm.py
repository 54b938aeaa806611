import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.layers.rnn import bidirectional_test, lstm_test

import lstm_mnist
from lstm_mnist import pretrained


@pytest.fixture(scope="module")
def images():
    return lstm_mnist.load_mnist().test.images


def pair(units, features, dtype="float32", **kwargs):
    """Our layer and Keras's with the same weights, none of them zero."""
    ours = lstm_mnist.LSTM(units, dtype=dtype, **kwargs)
    theirs = keras.layers.LSTM(units, dtype=dtype, **kwargs)
    for layer in (ours, theirs):
        layer.build((None, None, features))
    random = np.random.default_rng(0)
    weights = [0.1 * random.standard_normal(weight.shape) for weight in theirs.get_weights()]
    ours.set_weights(weights)
    theirs.set_weights(ours.get_weights())
    return ours, theirs


def outputs_and_gradients(layer, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        results = layer(x)
        results = results if isinstance(results, list | tuple) else [results]
        value = tf.add_n([tf.reduce_sum(tf.sin((k + 2) * result)) for k, result in enumerate(results)])
    return [*results, *tape.gradient(value, [*layer.trainable_variables, x])]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)])
@pytest.mark.parametrize("shape", [(4, 28, 28, 128), (1, 1, 3, 2), (5, 7, 1, 9)])
@pytest.mark.parametrize("sequences", [False, True])
def test_equals_keras_in_outputs_states_and_gradients(dtype, tolerance, shape, sequences):
    batch, steps, features, units = shape
    ours, theirs = pair(units, features, dtype, return_sequences=sequences, return_state=True)
    x = tf.constant(np.random.default_rng(1).random((batch, steps, features)), dtype)
    for our, their in zip(outputs_and_gradients(ours, x), outputs_and_gradients(theirs, x), strict=True):
        assert our.shape == their.shape
        scale = max(1, np.abs(their).max())
        np.testing.assert_allclose(our / scale, their / scale, atol=tolerance, rtol=0)


@pytest.fixture
def ours_is_keras_own(monkeypatch):
    monkeypatch.setattr(bidirectional_test.layers, "LSTM", lstm_mnist.LSTM)


@pytest.mark.usefixtures("ours_is_keras_own")
class TestKerasOwnTests(lstm_test.LSTMTest):
    """Keras's tests of ``keras.layers.LSTM``, run with ours in its place."""


@pytest.mark.usefixtures("ours_is_keras_own")
class TestKerasOwnTestsOfBidirectional(bidirectional_test.SimpleRNNTest):
    """Keras's tests of ``keras.layers.Bidirectional``, run with ours for its LSTM."""


def masked(layer, x):
    return layer(x, mask=np.arange(x.shape[1]) < np.array([[3], [5], [0], [1]]))


def in_training(layer, x):
    keras.utils.set_random_seed(0)
    return layer(x, training=True)


def test_implementation_round_trips_and_is_checked():
    assert lstm_mnist.LSTM(3).implementation == "fast"
    for name in ("fast", "plain", 1, 2):
        assert lstm_mnist.LSTM.from_config(lstm_mnist.LSTM(3, implementation=name).get_config()).implementation == name
    with pytest.raises(ValueError, match="implementation is 'quick': use 'fast' or 'plain'"):
        lstm_mnist.LSTM(3, implementation="quick")


@pytest.mark.parametrize("implementation", ["fast", "plain"])
@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        ({"go_backwards": True}, keras.layers.Layer.__call__),
        ({}, masked),
        ({"go_backwards": True, "zero_output_for_mask": True}, masked),
        ({"activation": "relu", "recurrent_activation": "hard_sigmoid"}, keras.layers.Layer.__call__),
        ({"dropout": 0.5, "recurrent_dropout": 0.25, "seed": 4}, keras.layers.Layer.__call__),
        ({"dropout": 0.5, "seed": 4}, in_training),
        ({"recurrent_dropout": 0.25, "seed": 4}, in_training),
    ],
)
def test_what_keras_layer_can_do_ours_does(implementation, arguments, call):
    ours, theirs = pair(3, 2, return_sequences=True, return_state=True, **arguments)
    ours.implementation = implementation
    x = np.random.default_rng(1).normal(size=(4, 5, 2)).astype(np.float32)
    for a, b in zip(call(ours, x), call(theirs, x), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize(("arguments", "tried"), [({}, 1), ({"dropout": 0.5}, 1), ({"recurrent_dropout": 0.5}, 0)])
@pytest.mark.parametrize("training", [False, True])
def test_keras_tries_cudnn_unless_there_is_recurrent_dropout(arguments, tried, training, monkeypatch):
    """As notebook 08 says; on a GPU `backend.lstm` is the way to cuDNN."""
    asked = []

    def on_no_gpu(*_, **__):
        asked.append(True)
        raise NotImplementedError

    monkeypatch.setattr(keras.src.backend, "lstm", on_no_gpu)
    keras.layers.LSTM(3, **arguments)(np.zeros((1, 5, 2), np.float32), training=training)
    assert len(asked) == tried


def test_without_a_bias():
    ours, theirs = (made(3, use_bias=False) for made in (lstm_mnist.LSTM, keras.layers.LSTM))
    x = np.random.default_rng(1).normal(size=(4, 5, 2)).astype(np.float32)
    theirs.build(x.shape)
    ours.build(x.shape)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-6)


def test_a_stateful_layer_goes_on_where_it_stopped():
    layer = lstm_mnist.LSTM(3, stateful=True)
    x = np.random.default_rng(1).normal(size=(4, 6, 2)).astype(np.float32)
    whole = layer(x).numpy()
    layer.reset_state()
    layer(x[:, :2])
    np.testing.assert_allclose(layer(x[:, 2:]), whole, atol=1e-6)


def test_the_layer_draws_as_keras_layer_and_nothing_more():
    weights = []
    for made in (lstm_mnist.LSTM, keras.layers.LSTM):
        keras.utils.set_random_seed(0)
        layer = made(4)
        layer.build((None, 28, 28))
        weights.append(layer.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(weights[0][2], [0] * 4 + [1] * 4 + [0] * 8)


def test_rows_that_cannot_be_read_are_named():
    layer = lstm_mnist.LSTM(3)
    with pytest.raises(ValueError, match="expected ndim=3, found ndim=2"):
        layer(np.zeros((4, 2), np.float32))
    with pytest.raises(ValueError, match="expected ndim=3, found ndim=4"):
        layer(np.zeros((4, 5, 2, 1), np.float32))
    with pytest.raises(ValueError, match=r"\(4, 0, 2\): give at least one row"):
        layer(np.zeros((4, 0, 2), np.float32))
    with pytest.raises(ValueError, match="rows are complex64: give real numbers"):
        layer(np.zeros((4, 5, 2), np.complex64))


def test_whole_numbers_are_read_as_keras_reads_them():
    ours, theirs = pair(3, 2)
    x = np.random.default_rng(1).integers(0, 5, (4, 5, 2))
    for dtype in (np.uint8, np.int64):
        np.testing.assert_allclose(ours(x.astype(dtype)), theirs(x.astype(dtype)), atol=1e-6)


def test_gradients_agree_with_finite_differences():
    layer, _ = pair(5, 3, "float64")
    x = tf.constant(np.random.default_rng(2).random((2, 4, 3)))

    def value():
        return float(tf.reduce_sum(tf.sin(2 * layer(x))))

    analytic = outputs_and_gradients(layer, x)[1:4]
    random = np.random.default_rng(3)
    for weight, gradient in zip(layer.weights, analytic, strict=True):
        direction, start = random.standard_normal(weight.shape), weight.numpy()
        ends = []
        for sign in (1, -1):
            weight.assign(start + sign * 1e-6 * direction)
            ends.append(value())
        weight.assign(start)
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(np.sum(gradient * direction), rel=1e-6)


def test_any_number_of_steps_known_or_not():
    layer, _ = pair(6, 28, return_sequences=True, return_state=True)
    unknown = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 28])])
    for steps in (1, 14, 40):
        x = tf.random.stateless_uniform([3, steps, 28], [0, 1])
        for a, b in zip(unknown(x), layer(x), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_an_initial_state_continues_a_sequence():
    layer, _ = pair(6, 28, return_state=True)
    x = tf.random.stateless_uniform([3, 28, 28], [0, 2])
    _, h, c = layer(x[:, :10])
    for a, b in zip(layer(x[:, 10:], initial_state=[h, c]), layer(x), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_one_initial_state_serves_all_sequences():
    ours, theirs = pair(3, 2)
    rows, state = np.ones((4, 5, 2), np.float32), [tf.ones((1, 3)), tf.ones((1, 3))]
    np.testing.assert_allclose(ours(rows, initial_state=state), theirs(rows, initial_state=state), atol=1e-6)


def test_the_plain_loop_equals_keras_from_any_state():
    ours, theirs = pair(6, 28, return_sequences=True, return_state=True)
    ours.implementation = "plain"
    x, h, c = (tf.random.stateless_normal(shape, [0, 3]) for shape in ([3, 28, 28], [3, 6], [3, 6]))
    for a, b in zip(ours(x, initial_state=[h, c]), theirs(x, initial_state=[h, c]), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_works_in_a_functional_model_and_survives_saving(tmp_path):
    inputs = keras.Input((None, 28))
    hidden = lstm_mnist.LSTM(8, go_backwards=True, return_sequences=True)(inputs)
    model = keras.Model(inputs, lstm_mnist.LSTM(4)(hidden))
    x = np.random.default_rng(0).random((2, 9, 28), np.float32)
    model.save(tmp_path / "two.keras")
    loaded = keras.saving.load_model(tmp_path / "two.keras")
    np.testing.assert_array_equal(loaded(x), model(x))


def test_classifier_has_the_sizes_of_2019():
    model = lstm_mnist.LSTMClassifier()
    assert model.lstm.count_params() == 80_384
    assert model.output_layer.count_params() == 1_290


def test_classifier_scales_uint8_inside(images):
    model = lstm_mnist.LSTMClassifier(16)
    scaled = images[:4].astype(np.float32) / np.float32(255)
    np.testing.assert_allclose(model(images[:4]), model(scaled), atol=1e-6)
    np.testing.assert_allclose(model(images[:4]), model.output_layer(model.lstm(scaled)), atol=1e-6)


def test_classifier_reads_rows_from_the_top(images):
    model = lstm_mnist.load_pretrained("2019")
    x = images[:3]
    weights = dict(zip(pretrained.ARRAYS, model.get_weights(), strict=True))
    h = c = np.zeros((3, 128))
    for t in range(28):
        z = x[:, t] / 255 @ weights["kernel"] + h @ weights["recurrent_kernel"] + weights["bias"]
        i, f, candidate, o = np.split(z, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.tanh(candidate)
        h = o * np.tanh(c)
    np.testing.assert_allclose(model(x), h @ weights["output_kernel"] + weights["output_bias"], atol=1e-3)


def test_init_2019_is_one_glorot_draw_and_a_standard_normal_output():
    keras.utils.set_random_seed(5)
    model = lstm_mnist.LSTMClassifier(init="2019")
    joint = np.concatenate([model.lstm.cell.kernel, model.lstm.cell.recurrent_kernel])
    limit = np.sqrt(6 / (156 + 512))
    assert np.abs(joint).max() == pytest.approx(limit, rel=1e-3)
    assert joint.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)
    assert abs(np.corrcoef(joint[:28].ravel(), joint[28:56].ravel())[0, 1]) < 0.05
    output_kernel, output_bias = model.output_layer.get_weights()
    assert output_kernel.std() == pytest.approx(1, abs=0.1)
    assert 0.3 < output_bias.std() < 2
    assert not lstm_mnist.LSTMClassifier().output_layer.bias.numpy().any()


def test_loss_before_training_is_ln_10_or_above():
    mnist = lstm_mnist.load_mnist()
    x, y = mnist.train.images[:500], mnist.train.labels[:500]
    losses = {}
    for init in ("keras", "2019"):
        keras.utils.set_random_seed(0)
        losses[init] = float(lstm_mnist.loss_and_accuracy(y, lstm_mnist.LSTMClassifier(init=init)(x))[0])
    assert losses["keras"] == pytest.approx(np.log(10), abs=0.05)
    assert losses["2019"] > np.log(10) + 0.1


def test_fit_evaluate_predict_save_and_load(images, tmp_path):
    labels = lstm_mnist.load_mnist().test.labels
    keras.utils.set_random_seed(0)
    model = lstm_mnist.LSTMClassifier(32)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs["loss"]))
    model.fit(images[:1000], labels[:1000], epochs=3, batch_size=50, verbose=0, callbacks=[callback])
    assert seen[2] < seen[0] < 2.5
    logits = model.predict(images[:1000], verbose=0)
    accuracy = model.evaluate(images[:1000], labels[:1000], verbose=0)[1]
    assert accuracy == pytest.approx(np.mean(logits.argmax(axis=1) == labels[:1000]), abs=1e-6)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        keras.saving.load_model(tmp_path / "model.keras").predict(images[:1000], verbose=0), logits
    )


@pytest.mark.parametrize("call", ["__call__", "predict", "evaluate", "fit"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x.astype(np.float32), r"0\.\.255: scale them"),
        (lambda x: x[:, :, :27], "rows of 27 pixels, this model reads 28"),
        (lambda x: x.reshape(4, 784), "reshape"),
        (lambda x: x[:0], "at least one"),
        (list, "images are of type list: give a NumPy array"),
    ],
)
def test_bad_images_are_refused_by_every_door(images, call, change, message):
    model = lstm_mnist.LSTMClassifier(4)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    bad = change(images[:4])
    arguments = (bad, np.zeros(len(bad), int)) if call in ("evaluate", "fit") else (bad,)
    with pytest.raises(ValueError, match=message):
        getattr(model, call)(*arguments)


def test_under_xla_which_has_no_assertions_a_dataset_of_floats_is_refused(images):
    model = lstm_mnist.LSTMClassifier(4)
    model.compile(jit_compile=True)
    dataset = tf.data.Dataset.from_tensors(images[:4, :2])
    expected = model(images[:4, :2])
    np.testing.assert_allclose(model.predict(dataset, verbose=0), expected, atol=1e-5)
    with pytest.raises(ValueError, match="looks at no dataset's floats: give uint8"):
        model.predict(dataset.map(lambda x: tf.cast(x, tf.float32)), verbose=0)


@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")
@pytest.mark.parametrize("call", ["fit", "evaluate", "predict"])
def test_pixels_of_a_dataset_that_are_not_scaled_are_named(images, call):
    model = lstm_mnist.LSTMClassifier(4)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def run(x, labels=(0, 1, 2, 3)):
        getattr(model, call)(tf.data.Dataset.from_tensor_slices((x, list(labels))).batch(2), verbose=0)

    pixels = images[:4].astype(np.float32)
    run(images[:4])
    run(pixels / 255)
    for wrong in (pixels, -pixels / 255, np.full_like(pixels, np.nan)):
        with pytest.raises(ValueError, match=r"outside 0\.\.1: divide them by 255, or give uint8"):
            run(wrong)
    with pytest.raises(ValueError, match="images have dtype int32: use uint8"):
        run(images[:4].astype(np.int32))
    if call != "predict":
        with pytest.raises(tf.errors.InvalidArgumentError, match="label value of 10"):
            run(images[:4], (0, 1, 2, 10))


def test_a_batch_is_looked_at_before_it_is_trained_on(images):
    model = lstm_mnist.LSTMClassifier(4)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"float images lie in 0\.\.255: scale them"):
        model.train_on_batch(images[:4].astype(np.float32), np.zeros(4, int))
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    model.train_on_batch(images[:4], np.zeros(4, int))
    assert np.any(model.get_weights()[0] != before[0])


def test_bad_labels_are_refused_by_fit(images):
    model = lstm_mnist.LSTMClassifier(4)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(ValueError, match=r"0\.\.10: expected 0\.\.9"):
        model.fit(images[:3], np.array([0, 1, 10]))
    with pytest.raises(ValueError, match=r"0\.\.10: expected 0\.\.9"):
        model.fit(images[:3], np.array([[0], [1], [10]]))
    with pytest.raises(ValueError, match="one label per image"):
        model.fit(images[:3], np.array([0, 1]))


@pytest.mark.parametrize(
    ("pixels", "labels", "message"),
    [(255, [0, 1, 2], r"255\.\.255: scale them"), (1, [0, 1, 10], r"0\.\.10: expected 0\.\.9")],
)
def test_bad_validation_data_are_refused_before_an_epoch(images, pixels, labels, message):
    model = lstm_mnist.LSTMClassifier(4)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = model.get_weights()
    bad = np.full((3, 28, 28), pixels, np.float32), np.array(labels)
    with pytest.raises(ValueError, match=message):
        model.fit(images[:3], np.array([0, 1, 2]), validation_data=bad, verbose=0)
    for weights, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weights, then)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_hidden": 0}, "num_hidden is 0"),
        ({"num_hidden": -3}, "num_hidden is -3"),
        ({"num_classes": 2.5}, r"num_classes is 2\.5"),
        ({"init": "2020"}, "init is '2020': use 'keras' or '2019'"),
    ],
)
def test_impossible_sizes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        lstm_mnist.LSTMClassifier(**arguments)
    with pytest.raises(ValueError, match="units is 0"):
        lstm_mnist.LSTM(0)


def test_another_backend_is_named_before_it_is_looked_for():
    command = [sys.executable, "-c", "import lstm_mnist"]
    done = subprocess.run(command, env=os.environ | {"KERAS_BACKEND": "torch"}, capture_output=True, text=True)
    assert "lstm_mnist needs Keras with the TensorFlow backend, found 'torch': set KERAS_BACKEND" in done.stderr
