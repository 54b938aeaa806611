import keras
import numpy as np
import pytest

import lstm_mnist


@pytest.fixture(scope="module")
def split():
    return lstm_mnist.load_mnist().train


def small_model(seed=0):
    keras.utils.set_random_seed(seed)
    return lstm_mnist.LSTMClassifier(num_hidden=8)


def assert_same_weights(a, b):
    for ours, theirs in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_checkpoints_do_not_change_the_weights(split, tmp_path):
    quiet, chatty = small_model(), small_model()
    lstm_mnist.train(quiet, split, steps=60, batch_size=32, watchers=())
    watchers = [lstm_mnist.Printing(7), lstm_mnist.Checkpoints(tmp_path / "run", every=11)]
    lstm_mnist.train(chatty, split, steps=60, batch_size=32, watchers=watchers)
    assert_same_weights(quiet, chatty)


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
