import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_mnist
from lstm_mnist.better.distortions import on_changed
from lstm_mnist.watchers import Watcher


@pytest.fixture(scope="module")
def split():
    return lstm_mnist.load_mnist().train


def small_model(seed=0, **kwargs):
    keras.utils.set_random_seed(seed)
    return lstm_mnist.LSTMClassifier(num_hidden=8, **kwargs)


def assert_same_weights(a, b):
    for ours, theirs in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("given", [None, keras.optimizers.SGD])  # Adam's steps do not show the gradient's size
def test_train_is_the_plain_loop(split, given):
    model, by_hand = small_model(), small_model()
    history = lstm_mnist.train(model, split, 4, 32, seed=3, optimizer=given and given(0.1), watchers=())
    optimizer = given(0.1) if given else keras.optimizers.Adam(0.001)
    for n in range(4):
        indices = split.batch_indices(n, 32, 3)
        labels = split.labels[indices]
        with tf.GradientTape() as tape:
            logits = by_hand(split.images[indices])
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(tf.one_hot(labels, 10), logits))
        gradients = tape.gradient(loss, by_hand.trainable_variables)
        optimizer.apply_gradients(zip(gradients, by_hand.trainable_variables, strict=True))
        assert history.loss[n] == pytest.approx(float(loss), rel=1e-4)
        assert history.accuracy[n] == pytest.approx(np.mean(logits.numpy().argmax(1) == labels))
        norm = np.sqrt(sum(np.sum(np.square(gradient)) for gradient in gradients))
        assert history.gradient_norm[n] == pytest.approx(norm, rel=1e-4)
    for ours, theirs in zip(model.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 49, 50, 51, 103])
def test_exactly_so_many_updates(split, steps):
    optimizer = keras.optimizers.Adam(0.001)
    history = lstm_mnist.train(small_model(), split, steps, batch_size=8, optimizer=optimizer, watchers=())
    assert int(optimizer.iterations) == steps
    assert [len(values) for values in history] == [steps] * 3


def test_a_watcher_sees_the_batch_just_trained_on(split):
    seen = []

    class Looking(Watcher):
        def look(self, run):
            seen.append(run.last_batch)

    lstm_mnist.train(small_model(), split, steps=7, batch_size=8, watchers=[Looking(3)])
    for n, last_batch in zip((2, 5, 6), seen, strict=True):
        for array, wanted in zip(last_batch, split.batches(n, n + 1, 8, seed=0), strict=True):
            np.testing.assert_array_equal(array, wanted[0])


def test_same_seed_same_weights_other_seed_others(split):
    runs = []
    for seed in (1, 1, 2):
        runs.append(small_model())
        lstm_mnist.train(runs[-1], split, steps=60, batch_size=32, seed=seed, watchers=())
    assert_same_weights(runs[0], runs[1])
    assert not np.array_equal(runs[0].get_weights()[0], runs[2].get_weights()[0])


def test_it_learns(split):
    keras.utils.set_random_seed(0)
    model = lstm_mnist.LSTMClassifier(32)
    history = lstm_mnist.train(model, split, steps=200, optimizer=keras.optimizers.Adam(0.005), watchers=())
    assert history.loss[:10].mean() > 2
    assert history.loss[-20:].mean() < 0.7
    assert history.accuracy[-20:].mean() > 0.75


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"steps": -5}, "steps is -5"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_impossible_arguments_are_named_before_work(split, arguments, message):
    model = small_model()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        lstm_mnist.train(model, split, **arguments)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_data_that_does_not_fit_the_model_is_named(split):
    with pytest.raises(ValueError, match="rows of 28 pixels, this model reads 14"):
        lstm_mnist.train(small_model(num_features=14), split, 5)
    with pytest.raises(ValueError, match=r"labels lie in 9\.\.9: expected 0\.\.4"):
        lstm_mnist.train(small_model(num_classes=5), split, 5)


def test_a_model_with_nothing_to_train_or_with_losses_of_its_own_is_named(split):
    model = small_model()
    model.trainable = False
    with pytest.raises(ValueError, match="no weights to train: set trainable = True"):
        lstm_mnist.train(model, split, 5)
    model.trainable = True
    model.output_layer.kernel.regularizer = keras.regularizers.L2(0.1)
    with pytest.raises(ValueError, match="losses of its own"):
        lstm_mnist.train(model, split, 5)


def test_on_changed_changes_what_batch_n_shows_and_only_that(split):
    seen = []

    def darker(images, n):
        seen.append(images.dtype)
        return tf.cast(images, tf.float32) / 255 / (1 + tf.cast(n, tf.float32))

    model, by_hand = small_model(), small_model()
    lstm_mnist.train(model, split, steps=3, batch_size=16, compute=on_changed(darker), watchers=())
    assert seen == [tf.uint8]
    optimizer = keras.optimizers.Adam(0.001)
    for n in range(3):
        indices = split.batch_indices(n, 16)
        with tf.GradientTape() as tape:
            images = (split.images[indices] / 255 / (1 + n)).astype(np.float32)
            loss, _ = lstm_mnist.loss_and_accuracy(split.labels[indices], by_hand(images))
        gradients = tape.gradient(loss, by_hand.trainable_variables)
        optimizer.apply_gradients(zip(gradients, by_hand.trainable_variables, strict=True))
    for ours, theirs in zip(model.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_an_averaging_optimizer_leaves_the_average_in_the_model(split):
    def steps_of_sgd(count, **kwargs):
        model = small_model()
        optimizer = keras.optimizers.SGD(0.5, **kwargs)
        lstm_mnist.train(model, split, count, batch_size=16, optimizer=optimizer, watchers=())
        return model.get_weights()

    averaged = steps_of_sgd(2, use_ema=True, ema_momentum=0.25)
    one, two = steps_of_sgd(1), steps_of_sgd(2)
    for average, *both in zip(averaged, one, two, strict=True):
        np.testing.assert_allclose(average, 0.25 * both[0] + 0.75 * both[1], atol=1e-6)
        assert not np.allclose(average, both[1], atol=1e-6)


def test_the_graph_of_the_steps_is_freed():
    model, optimizer = small_model(), keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    train_steps = lstm_mnist.training.make_train_steps(model, optimizer, [4, 28, 28])
    graph = weakref.ref(train_steps.graph)
    del train_steps
    gc.collect()
    assert graph() is None


@pytest.mark.parametrize(
    ("labels", "message"),
    [([3, 12], r"labels lie in 3\.\.12"), ([1.5, 2.0], "labels have dtype float64"), ([[1], [2]], r"shape \(2, 1\)")],
)
def test_labels_that_are_none_have_no_loss(labels, message):
    with pytest.raises(ValueError, match=message):
        lstm_mnist.loss_and_accuracy(labels, np.zeros((2, 10), np.float32))


def test_an_optimizer_built_for_another_model_is_refused(split):
    optimizer = keras.optimizers.Adam()
    optimizer.build(small_model().trainable_variables)
    with pytest.raises(ValueError, match=r"^optimizer 'adam.*' was built for other weights .*: give a fresh one$"):
        lstm_mnist.train(small_model(), split, 2, 8, optimizer=optimizer, watchers=())


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda gradients, loss, accuracy: (gradients, loss),
        lambda gradients, loss, accuracy: (gradients[:-1], loss, accuracy),
        lambda gradients, loss, accuracy: (gradients[::-1], loss, accuracy),
        lambda gradients, loss, accuracy: ([None] * len(gradients), loss, accuracy),
        lambda gradients, loss, accuracy: (loss, gradients, accuracy),
        lambda gradients, loss, accuracy: (gradients, tf.stack([loss, loss]), accuracy),
        lambda gradients, loss, accuracy: [*gradients, loss, accuracy],
        lambda gradients, loss, accuracy: loss,
    ],
    ids=["two", "too few", "turned", "none", "order", "no number", "flat", "loss"],
)
def test_a_compute_that_returns_something_else_is_told_what_to_return(split, spoilt):
    model = small_model()
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"^compute returns .*: return gradients, loss, accuracy, with"):
        lstm_mnist.train(
            model, split, 2, 8, watchers=(), compute=lambda *given: spoilt(*lstm_mnist.compute_gradients(*given))
        )
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_strategys_scope_is_refused_with_the_way_round(split):
    for strategy in (tf.distribute.MirroredStrategy(["CPU:0"]), tf.distribute.OneDeviceStrategy("CPU:0")):
        with strategy.scope(), pytest.raises(ValueError, match=r"strategy's scope: call .*train_shared outside it"):
            lstm_mnist.train(small_model(), split, 2, 8, watchers=())
