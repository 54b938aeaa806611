import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_mnist
from lstm_mnist.better.distortions import on_changed


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


def test_prints_the_lines_of_2019_measured_after_the_update(split, capsys):
    model = small_model()
    lstm_mnist.train(model, split, steps=24, batch_size=32, watchers=[lstm_mnist.Printing(10)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "Step 1",
        "Step 10",
        "Step 20",
        "Step 24",
        "Optimization Finished!",
    ]
    indices = split.batch_indices(23, 32)
    loss, accuracy = lstm_mnist.loss_and_accuracy(split.labels[indices], model(split.images[indices]))
    assert lines[3] == f"Step 24, Loss= {loss:.4f}, Training Accuracy= {accuracy:.3f}"


def test_same_seed_same_weights_other_seed_others(split):
    runs = []
    for seed in (1, 1, 2):
        runs.append(small_model())
        lstm_mnist.train(runs[-1], split, steps=60, batch_size=32, seed=seed, watchers=())
    assert_same_weights(runs[0], runs[1])
    assert not np.array_equal(runs[0].get_weights()[0], runs[2].get_weights()[0])


def test_printing_and_checkpoints_do_not_change_the_weights(split, tmp_path):
    quiet, chatty = small_model(), small_model()
    lstm_mnist.train(quiet, split, steps=60, batch_size=32, watchers=())
    watchers = [lstm_mnist.Printing(7), lstm_mnist.Checkpoints(tmp_path / "run", every=11)]
    lstm_mnist.train(chatty, split, steps=60, batch_size=32, watchers=watchers)
    assert_same_weights(quiet, chatty)


def test_it_learns(split):
    keras.utils.set_random_seed(0)
    model = lstm_mnist.LSTMClassifier(32)
    history = lstm_mnist.train(model, split, steps=200, optimizer=keras.optimizers.Adam(0.005), watchers=())
    assert history.loss[:10].mean() > 2
    assert history.loss[-20:].mean() < 0.7
    assert history.accuracy[-20:].mean() > 0.75


def test_a_finished_run_can_be_taken_further_and_not_back(split, tmp_path):
    first = lstm_mnist.train(small_model(), split, 20, 32, watchers=[lstm_mnist.Checkpoints(tmp_path / "run")])
    again = lstm_mnist.train(small_model(), split, 20, 32, watchers=[lstm_mnist.Checkpoints(tmp_path / "run")])
    np.testing.assert_array_equal(first.loss, again.loss)
    further, untroubled = small_model(seed=9), small_model()
    longer = lstm_mnist.train(further, split, 30, 32, watchers=[lstm_mnist.Checkpoints(tmp_path / "run")])
    np.testing.assert_array_equal(longer, lstm_mnist.train(untroubled, split, 30, 32, watchers=()))
    assert_same_weights(further, untroubled)
    with pytest.raises(ValueError, match="already at step 30: ask for more than steps=10"):
        lstm_mnist.train(small_model(), split, 10, 32, watchers=[lstm_mnist.Checkpoints(tmp_path / "run")])


def test_a_folder_of_another_run_is_refused_untouched(split, tmp_path):
    folder = tmp_path / "run"
    lstm_mnist.train(small_model(), split, 5, 32, watchers=[lstm_mnist.Checkpoints(folder)])
    before = sorted((file.name, file.stat().st_mtime_ns) for file in folder.iterdir())
    other = lstm_mnist.Split(split.images[:99], split.labels[:99])
    relabelled = lstm_mnist.Split(split.images, (split.labels + 1) % 10)
    for arguments, message in (
        ((lstm_mnist.LSTMClassifier(9), split, 9, 32), "run with model"),
        ((small_model(), split, 9, 16), "batch_size = 32, this one has 16"),
        ((small_model(), split, 9, 32, 5), "seed = 0, this one has 5"),
        ((small_model(), split, 9, 32, 0, keras.optimizers.SGD(0.1)), "run with optimizer"),
        ((small_model(), other, 9, 32), "run with data"),
        ((small_model(), relabelled, 9, 32), "run with data"),
    ):
        with pytest.raises(ValueError, match=message):
            lstm_mnist.train(*arguments, watchers=[lstm_mnist.Checkpoints(folder)])
    assert sorted((file.name, file.stat().st_mtime_ns) for file in folder.iterdir()) == before


def test_unusable_folders_are_named(split, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "diary.txt").write_text("private")
    with pytest.raises(ValueError, match=r"full holds diary\.txt and no run\.npz: choose another"):
        lstm_mnist.train(small_model(), split, 5, watchers=[lstm_mnist.Checkpoints(tmp_path / "full")])
    with pytest.raises(ValueError, match="cannot be written"):
        lstm_mnist.train(small_model(), split, 5, watchers=[lstm_mnist.Checkpoints(tmp_path / "full/diary.txt/x")])


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
    with pytest.raises(ValueError, match=r"labels lie in 0\.\.9: expected 0\.\.4"):
        lstm_mnist.train(small_model(num_classes=5), split, 5)


def test_a_bar_is_shown_unless_the_environment_says_no(split, capsys, monkeypatch):
    monkeypatch.setenv("LSTM_MNIST_PROGRESS", "1")
    lstm_mnist.train(small_model(), split, 3, 8, watchers=[lstm_mnist.ProgressBar()])
    assert "3/3" in capsys.readouterr().err
    monkeypatch.setenv("LSTM_MNIST_PROGRESS", "0")
    lstm_mnist.train(small_model(), split, 3, 8, watchers=[lstm_mnist.ProgressBar()])
    assert capsys.readouterr().err == ""


def test_tensorboard_gets_each_steps_numbers(split, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = lstm_mnist.train(small_model(), split, 5, 8, watchers=[lstm_mnist.TensorBoard(tmp_path)])
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    for name, values in history._asdict().items():
        told = [(event.step, tf.make_ndarray(event.tensor_proto).item()) for event in events.Tensors(name)]
        assert told == list(enumerate(values.tolist(), start=1))


def test_missing_tensorboard_is_named_with_its_remedy(split, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'lstm-mnist\[tensorboard\]'"):
        lstm_mnist.TensorBoard(tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


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
