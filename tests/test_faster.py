"""The fast arithmetic against the plain loop, Keras's layer and finite differences."""

import gc
import subprocess
import sys
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from lstm_mnist import LSTM, LSTMClassifier, Split, faster, train

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
SHAPES = [(1, 1, 1, 1), (1, 5, 3, 4), (2, 3, 5, 2), (7, 9, 4, 3)]  # batch, steps, features, units


def layer(kind, x, units, dtype, seed=1, **kwargs):
    """A layer with weights large enough to bend every gate, the same for every kind."""
    if kind == "keras":
        made = keras.layers.LSTM(units, return_state=True, dtype=dtype, **kwargs)
    else:
        made = LSTM(units, return_state=True, dtype=dtype, implementation=kind, **kwargs)
    made.build(x.shape)
    rng = np.random.default_rng(seed)
    made.set_weights([rng.normal(0, 0.5, weight.shape) for weight in made.weights])
    return made


def inputs(batch, steps, features, units, dtype, seed=0):
    rng = np.random.default_rng(seed)
    shapes = (batch, steps, features), (batch, units), (batch, units)
    return [tf.constant(rng.normal(size=shape), dtype) for shape in shapes]


def results_and_gradients(made, x, h, c, with_state, compiled):
    """All results, and the gradients of a curved function of them in the input, the state and the weights."""

    def run(x, h, c):
        with tf.GradientTape() as tape:
            tape.watch([x, h, c])
            results = made(x, initial_state=[h, c] if with_state else None)
            loss = tf.add_n([tf.reduce_sum(tf.sin(3 * result)) for result in results])
        state = [h, c] if with_state else []
        return [*results, *tape.gradient(loss, [x, *state, *made.trainable_variables])]

    return [np.asarray(value) for value in (tf.function(run) if compiled else run)(x, h, c)]


def assert_close(ours, theirs, dtype):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * np.max(np.abs(b), initial=1))


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_plain_and_keras(shape, dtype, compiled):
    for sequences, with_state in ((False, False), (True, True)):
        arguments = *inputs(*shape, dtype), with_state, compiled
        ours, plain, theirs = (
            results_and_gradients(layer(kind, arguments[0], shape[3], dtype, return_sequences=sequences), *arguments)
            for kind in ("fast", "plain", "keras")
        )
        assert_close(ours, plain, dtype)
        assert_close(ours, theirs, dtype)


def as_float32(value):
    return tf.cast(value, tf.float32)


def test_gradients_are_finite_differences():
    x, h, c = inputs(3, 4, 2, 3, "float64")
    made = layer("plain", x, 3, "float64")
    *_, dx, dh, dc, kernel, recurrent, bias = results_and_gradients(made, x, h, c, True, False)
    fast = results_and_gradients(layer("fast", x, 3, "float32"), *map(as_float32, (x, h, c)), True, True)
    assert_close(fast[-6:], [dx, dh, dc, kernel, recurrent, bias], "float32")

    def loss(x, h, c):
        return sum(float(tf.reduce_sum(tf.sin(3 * result))) for result in made(x, initial_state=[h, c]))

    def slopes(read, write):
        start, slope = read(), np.empty(read().shape)
        for place in np.ndindex(start.shape):
            ends = []
            for move in (1e-5, -1e-5):
                moved = start.copy()
                moved[place] += move
                ends.append(write(moved))
            slope[place] = (ends[0] - ends[1]) / 2e-5
        write(start)
        return slope

    def with_weight(weight):
        def write(value):
            weight.assign(value)
            return loss(x, h, c)

        return write

    for gradient, weight in zip((kernel, recurrent, bias), made.weights, strict=True):
        np.testing.assert_allclose(gradient, slopes(weight.numpy, with_weight(weight)), atol=1e-8)
    np.testing.assert_allclose(dx, slopes(x.numpy, lambda value: loss(value, h, c)), atol=1e-8)
    np.testing.assert_allclose(dh, slopes(h.numpy, lambda value: loss(x, value, c)), atol=1e-8)
    np.testing.assert_allclose(dc, slopes(c.numpy, lambda value: loss(x, h, value)), atol=1e-8)


def second_order(made, compiled):
    x, *_ = inputs(3, 4, 2, 3, made.dtype)

    def second(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(tf.sin(3 * made(x)[0]))
            gradients = inner.gradient(loss, [x, *made.trainable_variables])
            penalty = tf.add_n([tf.reduce_sum(tf.square(gradient)) for gradient in gradients])
        return outer.gradient(penalty, [x, *made.trainable_variables])

    return [g.numpy() for g in (tf.function(second) if compiled else second)(x)]


@pytest.mark.parametrize("compiled", [True, False])
def test_second_order_gradients_are_the_plain_rows(compiled):
    x, *_ = inputs(3, 4, 2, 3, "float64")
    plain, theirs = (second_order(layer(kind, x, 3, "float64"), compiled) for kind in ("plain", "keras"))
    assert_close(plain, theirs, "float64")
    with pytest.raises(NotImplementedError, match="make the layer with implementation='plain'"):
        second_order(layer("fast", x, 3, "float32"), compiled)


@pytest.mark.parametrize("steps", [7, 8, 14, 22])
def test_turns_of_rows(steps):
    """One turn, and several of seven, of four and of two rows."""
    for sequences, with_state in ((False, False), (True, True)):
        arguments = *inputs(3, steps, 2, 4, "float32"), with_state, True
        ours, plain = (
            results_and_gradients(layer(kind, arguments[0], 4, "float32", return_sequences=sequences), *arguments)
            for kind in ("fast", "plain")
        )
        assert_close(ours, plain, "float32")


@pytest.mark.parametrize("sequences", [True, False])
def test_plain_rows_under_xla(sequences):
    x, *_ = inputs(4, 5, 3, 4, "float32")
    made = layer("fast", x, 4, "float32", return_sequences=sequences)

    def gradients(x):
        with tf.GradientTape() as tape:
            loss = tf.add_n([tf.reduce_sum(tf.sin(result)) for result in made(x)])
        return tape.gradient(loss, made.trainable_variables)

    compiled = tf.function(gradients, jit_compile=True)(x)
    assert_close([g.numpy() for g in compiled], [g.numpy() for g in gradients(x)], "float32")


def test_fit_compiled_by_xla_learns_the_same(digits):
    weights = []
    for jit_compile in (False, True):
        model = classifier()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss, jit_compile=jit_compile)
        model.fit(digits.images, digits.labels, batch_size=20, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for plain, compiled in zip(*weights, strict=True):
        np.testing.assert_allclose(plain, compiled, atol=1e-6)


def test_a_graph_does_not_grow_with_the_rows():
    def operations(steps):
        x = tf.zeros((2, steps, 3))
        made = layer("fast", x, 4, "float32")

        @tf.function
        def gradients(x):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(made(x)[0])
            return tape.gradient(loss, made.trainable_variables)

        graph = gradients.get_concrete_function(x).graph.as_graph_def()
        return len(graph.node) + sum(len(function.node_def) for function in graph.library.function)

    assert operations(28) == operations(784)


def test_graphs_are_freed():
    graphs = []
    for _ in range(3):
        x, *_ = inputs(2, 5, 3, 4, "float32")
        made = layer("fast", x, 4, "float32")

        @tf.function
        def gradients(x, made=made):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(made(x)[0])
            return tape.gradient(loss, made.trainable_variables)

        gradients(x)
        graphs.append(weakref.ref(gradients.get_concrete_function(x).graph))
    del made, gradients
    gc.collect()
    assert [graph() for graph in graphs] == 3 * [None]


def test_any_batch_with_one_trace():
    x, *_ = inputs(6, 5, 3, 4, "float32")
    ours, plain = (layer(kind, x, 4, "float32", return_sequences=True) for kind in ("fast", "plain"))
    traced = tf.function(lambda x: ours(x), input_signature=[tf.TensorSpec([None, 5, 3], "float32")])
    for batch in (6, 5, 1, 0):
        assert_close([y.numpy() for y in traced(x[:batch])], [y.numpy() for y in plain(x[:batch])], "float32")


def test_unknown_steps_take_keras_loop(monkeypatch):
    monkeypatch.setattr(faster, "lstm", None)
    x, *_ = inputs(2, 5, 3, 4, "float32")
    ours, theirs = layer("fast", x, 4, "float32"), layer("keras", x, 4, "float32")
    traced = tf.function(lambda x: ours(x), input_signature=[tf.TensorSpec([None, None, 3], "float32")])
    for steps in (5, 2):
        assert_close([y.numpy() for y in traced(x[:, :steps])], [y.numpy() for y in theirs(x[:, :steps])], "float32")


def test_plain_is_a_choice(monkeypatch):
    monkeypatch.setattr(faster, "lstm", None)
    x, *_ = inputs(2, 5, 3, 4, "float32")
    layer("plain", x, 4, "float32")(x)
    with pytest.raises(TypeError):
        layer("fast", x, 4, "float32")(x)


@pytest.fixture
def digits():
    rng = np.random.default_rng(0)
    return Split(rng.integers(0, 256, (40, 6, 5), np.uint8), rng.integers(0, 10, 40, np.uint8))


def classifier():
    keras.utils.set_random_seed(0)
    return LSTMClassifier(8, num_features=5)


def test_training_twice_gives_the_same_bits_and_plain_the_same_losses(digits):
    runs = []
    for implementation in ("fast", "fast", "plain"):
        model = classifier()
        model.lstm.implementation = implementation
        runs.append((train(model, digits, steps=8, batch_size=13, watchers=()), model.get_weights()))
    (first, weights), (again, weights_again), (plain, _) = runs
    for a, b in zip([*first, *weights], [*again, *weights_again], strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(first.loss, plain.loss, rtol=1e-5)
    np.testing.assert_allclose(first.gradient_norm, plain.gradient_norm, rtol=1e-4)


def test_in_fit_save_and_export(digits, tmp_path):
    model = classifier()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, steps_per_execution=2)
    model.fit(digits.images, digits.labels, batch_size=16, epochs=1, verbose=0)
    logits = model.predict(digits.images, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(digits.images, verbose=0), logits)
    serve = tf.function(lambda images: model(images), input_signature=[tf.TensorSpec([None, 6, 5], tf.uint8)])
    module = tf.Module()
    module.serve, module.model = serve, model
    tf.saved_model.save(module, str(tmp_path / "saved"))
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(loaded.serve(tf.constant(digits.images)), logits, atol=1e-6)


TRAINING = """
import hashlib
import lstm_mnist, keras, numpy as np, tensorflow as tf

rng = np.random.default_rng(0)
split = lstm_mnist.Split(rng.integers(0, 256, (32, 6, 5), np.uint8), rng.integers(0, 10, 32, np.uint8))

def model():
    keras.utils.set_random_seed(0)
    return lstm_mnist.LSTMClassifier(8, num_features=5)

def digest():
    one = model()
    history = lstm_mnist.train(one, split, steps=3, batch_size=16, watchers=())
    return hashlib.sha256(b"".join(value.tobytes() for value in [*history, *one.get_weights()])).hexdigest()
"""

TWO_DEVICES = """
assert tf.config.threading.get_intra_op_parallelism_threads() == 0
tf.config.set_logical_device_configuration(  # refused once TensorFlow's runtime has started
    tf.config.list_physical_devices("CPU")[0], 2 * [tf.config.LogicalDeviceConfiguration()])
print(digest())
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    two = model()
    two.compile("sgd", loss)
one = model()
one.compile("sgd", loss)
for each in (one, two):
    each.fit(split.images, split.labels, batch_size=16, shuffle=False, verbose=0)
for a, b in zip(one.get_weights(), two.get_weights()):
    np.testing.assert_allclose(a, b, atol=1e-5)
"""


def test_process_to_process_and_on_two_devices():
    """Importing starts nothing; another process trains to the same bits; two devices learn what one does."""
    command = [sys.executable, "-c", TRAINING + TWO_DEVICES]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    here = {}
    exec(TRAINING, here)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert output.split() == [here["digest"]()]
