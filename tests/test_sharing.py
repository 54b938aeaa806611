import json
import socket
import subprocess
import sys
import time
import types
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_mnist
from lstm_mnist.bigger import cluster, sharing
from lstm_mnist.bigger.workers import free_ports


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
    """What ``check_agreement`` needs of a strategy: worker 1 of two, whose sum adds what worker 0 says."""

    num_replicas_in_sync = 2

    def __init__(self, difference=0):
        self.difference, self.cluster_resolver = difference, types.SimpleNamespace(task_id=1)

    def run(self, function, arguments):
        return function(*arguments)

    def reduce(self, operation, mine, axis):
        return mine + mine + self.difference


def test_workers_that_disagree_are_told_in_what():
    values = {"steps": 5, "weights": [np.ones(3, np.float32), np.zeros(2, np.float32)]}
    sharing.check_agreement(TwoWorkers(), **values)
    for difference, name in (([1, 0], "steps"), ([0, -1], "weights")):
        with pytest.raises(ValueError, match=f"the workers differ in {name}: give all the same"):
            sharing.check_agreement(TwoWorkers(difference), **values)


def test_worker_0_alone_writes_files():
    strategy = TwoWorkers()
    assert not sharing.is_chief(strategy)
    strategy.cluster_resolver.task_id = 0
    assert sharing.is_chief(strategy)


@pytest.mark.parametrize("error", ["UnavailableError", "AbortedError", "CancelledError", "DeadlineExceededError"])
def test_a_lost_worker_is_named_with_the_way_on(error):
    for folders, way_on in ((["runs"], "goes on from the last checkpoint in runs"), ([], "begins anew")):
        with pytest.raises(cluster.WorkerError, match=way_on), sharing.lost_workers_named(folders):
            raise getattr(tf.errors, error)(None, None, "connection reset")


def test_the_message_is_the_gradient_and_two_numbers():
    assert sharing.message_bytes(lstm_mnist.LSTMClassifier()) == 4 * (81_674 + 2)


def tf_config(workers=("127.0.0.1:1", "127.0.0.1:2"), index=0, **task):
    return json.dumps({"cluster": {"worker": list(workers)}, "task": {"type": "worker", "index": index} | task})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be used .*it is ''"),
        ("{worker", "cannot be used"),
        ("[1]", "cannot be used"),
        ('{"cluster": {"worker": ["a:1"]}}', "has no 'task'"),
        (tf_config(["a"]), "cannot be used"),
        (tf_config(["a:x"]), "cannot be used"),
        (tf_config(["a:1", "a:1"]), "an address occurs twice"),
        (tf_config(index=2), "task index 2 among 2 workers"),
        (tf_config(index=-1), "task index -1"),
        (tf_config(type="ps"), "type worker"),
    ],
)
def test_a_malformed_tf_config_is_named(monkeypatch, text, message):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=f"TF_CONFIG .*{message}.*expected"):
        cluster.worker_strategy()


def test_a_port_in_use_is_named(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("TF_CONFIG", tf_config([f"127.0.0.1:{port}"]))
        with pytest.raises(cluster.WorkerError, match=rf"127\.0\.0\.1:{port} cannot be used .*in use"):
            cluster.worker_strategy()


def test_a_worker_that_never_comes_is_named_after_the_time_limit(monkeypatch):
    here, there = free_ports(2)
    monkeypatch.setenv("TF_CONFIG", tf_config([f"127.0.0.1:{here}", f"127.0.0.1:{there}"]))
    start = time.monotonic()
    with pytest.raises(cluster.WorkerError, match=rf"worker 1 at 127\.0\.0\.1:{there} has not come within 0.5 s"):
        cluster.worker_strategy(time_limit=0.5)
    assert time.monotonic() - start < 30


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
