import dataclasses
import subprocess
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_mnist
from lstm_mnist.bigger import cluster, sharing


@pytest.fixture(scope="module")
def split():
    return lstm_mnist.load_mnist().train


def small_model(seed=3):
    keras.utils.set_random_seed(seed)
    model = lstm_mnist.LSTMClassifier(8)
    model.lstm.implementation = "plain"
    return model


def test_other_strategies_are_refused_by_name(split):
    for strategy in (tf.distribute.OneDeviceStrategy("CPU:0"), tf.distribute.get_strategy(), "mirrored"):
        with pytest.raises(ValueError, match=rf"strategy is {type(strategy).__name__}: use tf.distribute.Mirrored"):
            sharing.train_shared(strategy, small_model(), split, 5)


def test_a_model_or_optimizer_made_outside_the_scope_is_named(split):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with pytest.raises(ValueError, match=r"the model was made outside this strategy: make it inside `with"):
        sharing.train_shared(strategy, small_model(), split, 5)
    with strategy.scope():
        model = small_model()
    with pytest.raises(ValueError, match=r"the optimizer was made outside"):
        sharing.train_shared(strategy, model, split, 5, optimizer=keras.optimizers.Adam())


class TwoWorkers:
    """What ``Agreement`` needs of a strategy: worker 1 of two, whose sum adds what worker 0 says."""

    num_replicas_in_sync = 2

    def __init__(self, said_by_0=None):
        self.said_by_0, self.cluster_resolver = said_by_0, types.SimpleNamespace(task_id=1)

    def run(self, function, arguments):
        return function(*arguments)

    def reduce(self, operation, mine, axis):
        return mine + (mine if self.said_by_0 is None else self.said_by_0)


def test_workers_that_disagree_are_told_in_what(split):
    adam, compute = keras.optimizers.Adam, lstm_mnist.compute_gradients
    ours = lstm_mnist.training.Run(small_model(), split, 5, 32, 0, adam(), compute)
    sharing.Agreement(TwoWorkers()).begin(ours)
    for change, name in (
        ({"steps": 6}, "steps"),
        ({"done": 2}, "checkpoint"),
        ({"model": small_model(seed=4)}, "weights"),
        ({"split": lstm_mnist.load_mnist().test}, "data"),
        ({"batch_size": 16}, "batch_size"),
        ({"seed": 1}, "seed"),
        ({"optimizer": adam(0.5)}, "optimizer"),
    ):
        theirs = sharing.numbers_of(dataclasses.replace(ours, **change))
        with pytest.raises(ValueError, match=f"the workers differ in {name}: give all the same"):
            sharing.Agreement(TwoWorkers(list(theirs.values()))).begin(ours)


def test_worker_0_alone_writes_files():
    strategy = TwoWorkers()
    assert not sharing.is_chief(strategy)
    strategy.cluster_resolver.task_id = 0
    assert sharing.is_chief(strategy)


@pytest.mark.parametrize("error", ["UnavailableError", "AbortedError", "CancelledError", "DeadlineExceededError"])
def test_a_lost_worker_is_named_with_the_way_on(split, error):
    def lost(model, images, labels, n):
        raise getattr(tf.errors, error)(None, None, "connection reset")

    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        model = small_model()
    with pytest.raises(cluster.WorkerError, match=r"start all of them again; the run goes on from its last checkpoint"):
        sharing.train_shared(strategy, model, split, 5, compute=lost, watchers=())


def test_the_message_is_the_gradient_and_two_numbers():
    model = lstm_mnist.LSTMClassifier()
    assert sharing.message_bytes(model) == 4 * (81_674 + 2)
    model.lstm.trainable = False
    assert sharing.message_bytes(model) == 4 * (1290 + 2)


PROGRAMS = Path(__file__).parent / "programs"
TWO_DEVICES = PROGRAMS / "two_devices.py"


def test_two_devices_train_as_one_clipping_averages_distortions_and_streams_included(tmp_path):
    """In a process of its own, since devices are chosen once a process."""
    child = subprocess.run(
        [sys.executable, TWO_DEVICES, tmp_path / "digits"], capture_output=True, text=True, timeout=300
    )
    assert child.returncode == 0, child.stderr
    lines = child.stdout.splitlines()
    assert len(lines) == 10
    assert lines[:5] == lines[5:]  # what is printed is the same too


def test_one_replica_is_the_plain_loop_bit_for_bit(split, tmp_path):
    plain = small_model()
    expected = lstm_mnist.train(plain, split, 6, 32, watchers=())
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    for steps in (3, 6):  # the second goes on from the first one's checkpoint
        with strategy.scope():
            model = small_model()
        watchers = [lstm_mnist.Checkpoints(tmp_path / "run")]
        history = sharing.train_shared(strategy, model, split, steps, 32, watchers=watchers)
    np.testing.assert_array_equal(np.stack(history), np.stack(expected))
    for ours, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
