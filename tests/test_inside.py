"""The look inside: held to the layer itself, to Keras, and to what can be worked out by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_mnist
from lstm_mnist import inside, plots


@pytest.fixture(scope="module")
def model():
    return lstm_mnist.load_pretrained("2019")


@pytest.fixture(scope="module")
def test_split():
    return lstm_mnist.load_mnist().test


@pytest.fixture(scope="module")
def traced(model, test_split):
    return inside.trace(model, test_split.images[:20])


@pytest.fixture
def small():
    keras.utils.set_random_seed(1)
    model = lstm_mnist.LSTMClassifier(5, 3, 4)
    model.set_weights([np.random.default_rng(k).normal(size=w.shape) for k, w in enumerate(model.weights)])
    return model


def images_of(n, rows=6, columns=4):
    return np.random.default_rng(7).integers(0, 256, (n, rows, columns)).astype(np.uint8)


def test_trace_has_the_promised_shapes(model, traced):
    for name, state in traced._asdict().items():
        assert state.shape == (20, 28, 10 if name == "logits" else 128)
        assert state.dtype == np.float32


def test_trace_agrees_with_the_layer(model, test_split, traced):
    x = test_split.images[:20] / np.float32(255)
    layer = lstm_mnist.LSTM(128, return_sequences=True, return_state=True)
    layer.build((None, 28, 28))
    layer.set_weights(model.lstm.get_weights())
    every_h, h, c = layer(x)
    np.testing.assert_allclose(traced.h, every_h, atol=1e-5)
    np.testing.assert_allclose(traced.h[:, -1], h, atol=1e-5)
    np.testing.assert_allclose(traced.c[:, -1], c, atol=1e-5)
    np.testing.assert_allclose(traced.logits[:, -1], model.predict(test_split.images[:20], verbose=0), atol=1e-4)


def test_trace_agrees_with_keras_after_every_row(model, test_split, traced):
    layer = keras.layers.LSTM(128, return_state=True)
    layer.build((None, 28, 28))
    layer.set_weights(model.lstm.get_weights())
    for t in (1, 2, 15, 28):
        _, h, c = layer(test_split.images[:20, :t] / np.float32(255))
        np.testing.assert_allclose(traced.h[:, t - 1], h, atol=1e-5)
        np.testing.assert_allclose(traced.c[:, t - 1], c, atol=1e-5)


def test_each_gate_is_its_own_equation(small):
    """With random weights, in float64, from the definition."""
    images = images_of(3)
    kernel, recurrent, bias, output_kernel, output_bias = (w.astype(np.float64) for w in small.get_weights())
    traced = inside.trace(small, images)
    h = c = np.zeros((3, 5))
    sigmoid = lambda z: 1 / (1 + np.exp(-z))
    for t in range(6):
        z = images[:, t] / 255 @ kernel + h @ recurrent + bias
        z = [z[:, :5], z[:, 5:10], z[:, 10:15], z[:, 15:]]
        i, f, candidate, o = sigmoid(z[0]), sigmoid(z[1]), np.tanh(z[2]), sigmoid(z[3])
        c = f * c + i * candidate
        h = o * np.tanh(c)
        for name, wanted in (("i", i), ("f", f), ("candidate", candidate), ("o", o), ("c", c), ("h", h)):
            np.testing.assert_allclose(getattr(traced, name)[:, t], wanted, atol=1e-5, err_msg=f"{name} at row {t + 1}")
        np.testing.assert_allclose(traced.logits[:, t], h @ output_kernel + output_bias, atol=1e-4)


def test_trace_walks_by_itself_whatever_the_layer_computes(small, monkeypatch):
    wanted = inside.trace(small, images_of(2)).h
    monkeypatch.setattr(lstm_mnist.LSTM, "call", lambda *_, **__: 1 / 0)
    np.testing.assert_array_equal(inside.trace(small, images_of(2)).h, wanted)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-12), ("mixed_float16", 1e-2), ("mixed_bfloat16", 5e-2)]
)
def test_the_look_inside_works_in_other_precisions(dtype, tolerance):
    model = lstm_mnist.LSTMClassifier(5, num_features=4, dtype=dtype)
    images = images_of(2)
    traced = inside.trace(model, images)
    assert traced.h.dtype == model.compute_dtype
    logits = np.asarray(model(images), np.float64)
    np.testing.assert_allclose(traced.logits[:, -1].astype(np.float64), logits, atol=tolerance)
    for classifier in (model, inside.RNNClassifier(5, num_features=4, dtype=dtype)):
        h, _ = inside.state_gradients(classifier, images, np.array([3, 8]))
        assert np.isfinite(h.astype(np.float64)).all()
    assert np.isfinite(inside.pixel_gradients(model, images).astype(np.float64)).all()


def test_trace_takes_float_images_and_other_lengths(small):
    images = images_of(2, rows=9)
    as_float = inside.trace(small, images / np.float32(255))
    assert as_float.h.shape == (2, 9, 5)
    np.testing.assert_allclose(as_float.h, inside.trace(small, images).h, atol=1e-6)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((28, 28), np.uint8), r"shape \(28, 28\).*images\[None\]"),
        (np.zeros((2, 28, 27), np.uint8), "rows of 27 pixels"),
        (np.zeros((0, 28, 28), np.uint8), "at least one image"),
        (np.zeros((1, 0, 28), np.uint8), "at least one image"),
        (np.full((1, 28, 28), 2.0), "scale them"),
        (np.full((1, 28, 28), np.nan), "without NaN"),
        (np.zeros((1, 28, 28), int), "dtype int64"),
    ],
)
def test_trace_refuses_other_images(model, images, message):
    with pytest.raises(ValueError, match=message):
        inside.trace(model, images)
    with pytest.raises(ValueError, match=message):
        inside.beliefs(model, images)


def test_trace_refuses_other_models_and_gates(small):
    with pytest.raises(TypeError, match=r"Sequential.*LSTMClassifier"):
        inside.trace(keras.Sequential(), images_of(1))
    with pytest.raises(TypeError, match="RNNClassifier"):
        inside.trace(inside.RNNClassifier(5, 3, 4), images_of(1))
    with pytest.raises(ValueError, match="names 'c'"):
        inside.trace(small, images_of(1), open_gates="c")


def test_an_open_gate_is_one_everywhere_and_changes_what_follows(small):
    plain = inside.trace(small, images_of(2))
    for gate in inside.GATES:
        opened = inside.trace(small, images_of(2), open_gates=(gate,))
        assert (getattr(opened, gate) == 1).all()
        assert not np.allclose(opened.h, plain.h)
        for other in set(inside.GATES) - {gate}:
            np.testing.assert_array_equal(getattr(opened, other)[:, 0], getattr(plain, other)[:, 0])
    np.testing.assert_array_equal(inside.trace(small, images_of(2), "f").c[:, 0], plain.c[:, 0])  # c_0 is 0
    both = inside.trace(small, images_of(2), "fi")
    np.testing.assert_allclose(both.c, np.cumsum(both.candidate, axis=1), atol=1e-5)


def test_beliefs_do_not_depend_on_the_batch(model, test_split):
    images = test_split.images[:30]
    whole = inside.beliefs(model, images)
    parts = [inside.beliefs(model, part) for part in np.array_split(images, 4)]
    np.testing.assert_allclose(whole, np.concatenate(parts), atol=1e-5)
    np.testing.assert_allclose(whole.sum(axis=2), 1, atol=1e-5)
    traced = inside.trace(model, images)
    np.testing.assert_allclose(whole, tf.nn.softmax(traced.logits), atol=1e-6)


def one_hot_beliefs(*answers):
    return np.eye(10)[np.array(answers)]


def test_accuracy_by_row_counts_each_row():
    probabilities = one_hot_beliefs([1, 2, 3], [3, 2, 3])
    np.testing.assert_array_equal(inside.accuracy_by_row(probabilities, np.array([3, 2])), [0, 0.5, 0.5])
    with pytest.raises(ValueError, match="beliefs have shape"):
        inside.accuracy_by_row(probabilities[0], np.array([3, 2]))
    with pytest.raises(ValueError, match="one label per image"):
        inside.accuracy_by_row(probabilities, np.array([3]))


def test_decision_row_is_the_first_after_which_the_answer_stays():
    probabilities = one_hot_beliefs([5, 5, 5, 5], [1, 5, 5, 5], [5, 1, 5, 5], [5, 5, 5, 1], [1, 2, 1, 2])
    np.testing.assert_array_equal(inside.decision_rows(probabilities), [1, 2, 3, 4, 4])


def test_the_network_taught_after_every_row_is_calibrated_early(test_split):
    images, labels = test_split.images[:1000], test_split.labels[:1000]
    every = inside.beliefs(lstm_mnist.load_pretrained("every_row"), images)
    late = inside.beliefs(lstm_mnist.load_pretrained("2019"), images)
    accuracy = [inside.accuracy_by_row(belief, labels) for belief in (every, late)]
    assert accuracy[0][13] > 0.9 > 0.2 > accuracy[1][13]
    assert accuracy[0][-1] > 0.97
    assert abs(every[:, 13].max(axis=1).mean() - accuracy[0][13]) < 0.03


def test_busiest_cells_move_most_and_come_in_the_order_of_their_peaks():
    c = np.zeros((5, 4))
    c[3, 0], c[1, 2], c[2, 3] = 5, -4, 0.1
    assert inside.busiest_cells(c, 2).tolist() == [2, 0]


def test_the_plain_rnn_is_keras_simple_rnn(test_split):
    keras.utils.set_random_seed(3)
    model = inside.RNNClassifier(6)
    x = test_split.images[:5] / np.float32(255)
    layer = keras.layers.SimpleRNN(6, return_sequences=True)
    layer.build((None, 28, 28))
    layer.set_weights(model.rnn.get_weights())
    np.testing.assert_allclose(tf.stack(model.states(x), axis=1), layer(x), atol=1e-6)
    answers = model.output_layer(layer(x)[:, -1])
    np.testing.assert_allclose(model.predict(test_split.images[:5], verbose=0), answers, atol=1e-5)
    lstm = lstm_mnist.LSTMClassifier().count_params()
    assert abs(inside.RNNClassifier(267).count_params() / lstm - 1) < 0.001


def test_a_network_with_an_open_gate_trains_with_it_open(test_split):
    keras.utils.set_random_seed(0)
    model = inside.OpenGateClassifier("f", num_hidden=6)
    usual = lstm_mnist.LSTMClassifier(6)
    usual.set_weights(model.get_weights())
    wanted = inside.trace(usual, test_split.images[:4], "f").logits[:, -1]
    np.testing.assert_allclose(model.predict(test_split.images[:4], verbose=0), wanted, atol=1e-5)
    losses = lstm_mnist.train(model, test_split, steps=2, batch_size=8, watchers=()).loss
    assert np.isfinite(losses).all()


def test_without_the_second_tanh_the_memory_is_shown_as_it_is(test_split):
    keras.utils.set_random_seed(0)
    model = inside.OneTanhClassifier(num_hidden=6)
    images = test_split.images[:4] / np.float32(255)
    kernel, recurrent_kernel, bias = model.lstm.get_weights()
    h = c = np.zeros((4, 6))
    for t in range(28):
        z = np.split(images[:, t] @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-z[k])) for k in (0, 1, 3))
        c = f * c + i * np.tanh(z[2])
        h = o * c
    np.testing.assert_allclose(model(test_split.images[:4]), model.output_layer(h), atol=1e-5)
    losses = lstm_mnist.train(model, test_split, steps=2, batch_size=8, watchers=()).loss
    assert np.isfinite(losses).all()


def test_training_after_every_row_lowers_the_loss_of_every_row(test_split):
    keras.utils.set_random_seed(0)
    model = inside.EveryRowClassifier(num_hidden=12)
    images, labels = test_split.images[:64], test_split.labels[:64]
    few = lstm_mnist.Split(images, labels)

    def losses():
        traced = inside.trace(model, images)
        return keras.losses.sparse_categorical_crossentropy(np.repeat(labels[:, None], 28, 1), traced.logits, True)

    before = np.mean(losses())
    history = lstm_mnist.train(model, few, steps=60, batch_size=64, watchers=())
    assert history.loss[0] == pytest.approx(before, abs=1e-4)
    np.testing.assert_allclose(model(images), inside.trace(model, images).logits[:, -1], atol=1e-5)
    assert np.mean(losses()) < before - 0.05


@pytest.mark.parametrize("kind", ["lstm", "rnn"])
def test_state_gradients_are_finite_differences(small, kind):
    """A nudge to the last row's state goes through the output layer alone: p − truth, times its kernel."""
    model = small if kind == "lstm" else inside.RNNClassifier(5, 3, 4)
    images, labels = images_of(4), np.array([0, 1, 2, 0])
    of_h, of_c = inside.state_gradients(model, images, labels)
    assert of_h.shape == (6,)
    surprise = tf.nn.softmax(model(images)).numpy() - np.eye(3)[labels]
    by_hand = surprise @ model.output_layer.kernel.numpy().T
    assert of_h[-1] == pytest.approx(np.linalg.norm(by_hand, axis=1).mean(), rel=1e-4)
    if kind == "rnn":
        assert of_c is None
        h = model.states(model.scale(tf.constant(images)))
        earlier = (by_hand * (1 - h[-1].numpy() ** 2)) @ model.rnn.cell.recurrent_kernel.numpy().T
        assert of_h[-2] == pytest.approx(np.linalg.norm(earlier, axis=1).mean(), rel=1e-4)
    else:
        traced = inside.trace(model, images)
        through = by_hand * traced.o[:, -1] * (1 - np.tanh(traced.c[:, -1]) ** 2)
        assert of_c[-1] == pytest.approx(np.linalg.norm(through, axis=1).mean(), rel=1e-4)


def test_pixel_gradients_are_finite_differences(small):
    images = images_of(2) / 255 * 0.8 + 0.1
    gradient = inside.pixel_gradients(small, images)
    answer = inside.beliefs(small, images)[:, -1].argmax(axis=1)
    for row, column in ((0, 0), (3, 2), (5, 3)):
        change = []
        for sign in (1, -1):
            moved = images.copy()
            moved[:, row, column] += sign * 0.01
            change.append(np.log(inside.beliefs(small, moved)[[0, 1], -1, answer]))
        np.testing.assert_allclose(gradient[:, row, column], (change[0] - change[1]) / 0.02, atol=2e-3)


def test_occlusion_blanks_a_square_around_each_pixel(small):
    image = images_of(1)[0]
    fall = inside.occlusion(small, image, patch=3)
    log_p = lambda some: np.log(inside.beliefs(small, some[None])[0, -1])
    answer = log_p(image).argmax()
    hidden = image.copy()
    hidden[2:5, 0:3] = 0
    assert fall[3, 1] == pytest.approx(log_p(image)[answer] - log_p(hidden)[answer], abs=1e-4)
    corner = image.copy()
    corner[:2, :2] = 0
    assert fall[0, 0] == pytest.approx(log_p(image)[answer] - log_p(corner)[answer], abs=1e-4)
    np.testing.assert_allclose(inside.occlusion(small, np.zeros_like(image)), 0, atol=1e-5)


DRAWN = """
........ ........ ..####.. .######.
..####.. ..####.. .#....#. .#......
..#..#.. ..#..... .#....#. .#.####.
..#..#.. ..#..#.. ..####.. .#.#..#.
..####.. ..####.. .#..#... .#.####.
........ ........ ..##.... .######.
"""


def drawn():
    rows = [line.split() for line in DRAWN.strip().splitlines()]
    return np.array([[[255 * (pixel == "#") for pixel in row[k]] for row in rows] for k in range(4)], np.uint8)


def test_row_properties_of_drawn_figures():
    properties = inside.row_properties(drawn())
    assert properties["loop"].argmax(axis=1).tolist() == [4, 0, 3, 4]
    assert properties["loop"][:, -1].tolist() == [1, 0, 1, 1]
    assert properties["strokes"][2].tolist() == [1, 2, 2, 1, 2, 1]
    assert properties["strokes"][0, 0] == 0
    assert properties["ink"][0].tolist() == [0, 0.5, 0.25, 0.25, 0.5, 0]
    assert properties["side"][0].tolist() == pytest.approx([0] * 6)
    assert properties["side"][3, 1] == pytest.approx(-1 + 2 / 7)
    np.testing.assert_array_equal(inside.row_properties(drawn() / 255.0)["loop"], properties["loop"])
    assert not inside.row_properties(drawn() // 2)["strokes"].any()  # 127 is no ink


@pytest.fixture(scope="module")
def reading(model, test_split):
    image = test_split.images[0]
    return image, inside.shown_states(model, image, 8), inside.beliefs(model, image[None])[0]


def test_a_reading_shows_all_rows_and_the_decision(reading):
    image, states, belief = reading
    fig = plots.reading(image, states, belief, 7, 20)
    np.testing.assert_allclose(fig.axes[6].images[0].get_array(), belief)
    assert fig.axes[0].patches[0].get_y() == 18.5
    assert "row 20 the answer is 7" in fig.get_supxlabel()


def test_the_other_pictures_hold_their_data(test_split):
    rng = np.random.default_rng(0)
    quartiles = np.array([[2, 5, 9], [3, 4, 4]])
    fig = plots.accuracy_table(np.eye(2, 28), quartiles)
    np.testing.assert_array_equal(fig.axes[0].images[0].get_array(), 100 * np.eye(2, 28))
    medians, _, (ranges,) = fig.axes[0].containers[0]
    np.testing.assert_array_equal(medians.get_xdata(), quartiles[:, 1])
    np.testing.assert_array_equal([range_[:, 0] for range_ in ranges.get_segments()], quartiles[:, [0, 2]])
    maps = {"gradient": rng.normal(size=(2, 28, 28))}
    fig = plots.pixel_maps(test_split.images[:2], maps, [7, 2])
    assert fig.axes[0].get_title() == "answer 7"
    assert fig.axes[2].images[0].get_clim() == pytest.approx(
        [-np.abs(maps["gradient"][0]).max(), np.abs(maps["gradient"][0]).max()]
    )
    fig = plots.runs({"a": [1.0, 3.0], "b": [5.0]})
    assert [text.get_text() for text in fig.axes[0].texts] == ["2.00", "5.00"]
    assert [line.get_xdata()[0] for line in fig.axes[0].lines if line.get_marker() == "|"] == [2, 5]
