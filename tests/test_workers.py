import contextlib
import sys
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_mnist
from lstm_mnist.bigger import cluster
from lstm_mnist.bigger.cluster import WorkerError
from lstm_mnist.bigger.workers import Workers, train_as_ordered
from lstm_mnist.commands import workers as command

NEEDS_SIGNALS = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
ORDERS = {"num_hidden": 8, "batch_size": 32, "seed": 3}


@NEEDS_SIGNALS
def test_workers_train_as_one_process_even_when_one_is_killed_and_all_start_again(tmp_path):
    folder = tmp_path / "run"
    orders = ORDERS | {"checkpoint_folder": folder, "checkpoint_every": 10}
    with Workers(2, steps=10**9, **orders) as workers:
        end = time.monotonic() + 200
        while not (folder / "run.npz").exists():
            assert time.monotonic() < end
            assert [process.poll() for process in workers.processes] == [None, None]
            time.sleep(0.02)
        workers.processes[1].terminate()  # TensorFlow would catch it
        with pytest.raises(WorkerError, match=r"worker 1 was killed \(SIGTERM\), the others were stopped"):
            workers.wait(60)
    assert all(process.poll() is not None for process in workers.processes)
    with np.load(folder / "run.npz") as kept:
        reached = len(kept["history"])
    assert reached >= 10
    steps = reached + 20
    with Workers(2, steps=steps, **orders) as workers:
        run = workers.wait(200)
    keras.utils.set_random_seed(3)
    model = lstm_mnist.LSTMClassifier(8)
    history = lstm_mnist.train(model, lstm_mnist.load_mnist().train, steps, 32, 3, watchers=())
    np.testing.assert_allclose(run.history, np.stack(history), atol=1e-4)
    for theirs, ours in zip(run.weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-4)
    assert [share["images"] for share in run.shares] == [[0, 16], [16, 32]]
    assert not [file for file in folder.iterdir() if "tmp" in file.name or "temp" in file.name]


def test_the_command_compares_three_workers_with_one_process(capsys):
    command.workers(3, steps=5)
    lines = capsys.readouterr().out.splitlines()
    for n, share in enumerate(("0 to 41", "42 to 83", "84 to 125")):
        assert lines[n].startswith(f"worker {n}: images {share} of each of 5 batches of 126, ")
    assert lines[3:] == ["losses, accuracies, gradient norms and final weights equal those of one process within 1e-4"]


@pytest.mark.parametrize("other", ["loss", "weights"])
def test_the_command_fails_where_workers_learnt_something_else(other, monkeypatch):
    keras.utils.set_random_seed(0)
    model = lstm_mnist.LSTMClassifier()
    history = np.stack(lstm_mnist.train(model, lstm_mnist.load_mnist().train, 2, watchers=()))
    weights = model.get_weights()
    changed = history[0] if other == "loss" else weights[0]
    changed += 0.01
    run = SimpleNamespace(history=history, weights=weights, shares=[])
    monkeypatch.setattr(command, "Workers", lambda *_, **__: contextlib.nullcontext(SimpleNamespace(wait=lambda: run)))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        command.workers(1, steps=2)


def test_the_command_names_an_impossible_number():
    with pytest.raises(SystemExit, match="count is 0"):
        command.workers(0, steps=5)


def test_a_worker_that_fails_is_quoted_and_all_are_stopped(tmp_path):
    (tmp_path / "diary.txt").write_text("private")
    orders = ORDERS | {"checkpoint_folder": tmp_path / "diary.txt" / "x", "steps": 1}
    message = r"worker 0: OSError: .*run\.npz cannot be written"
    with Workers(1, **orders) as workers, pytest.raises(WorkerError, match=message):
        workers.wait(200)
    assert workers.processes[0].poll() == 1


def test_orders_that_cannot_be_followed_are_named(monkeypatch):
    monkeypatch.setattr(cluster, "worker_strategy", lambda time_limit: tf.distribute.MirroredStrategy(["CPU:0"]))
    with pytest.raises(ValueError, match=r"steps is 2\.5: use a whole number"):
        train_as_ordered(steps=2.5, **ORDERS)


def test_workers_too_slow_for_the_time_limit_are_stopped_and_an_impossible_limit_is_named():
    with Workers(1, steps=10**9, **ORDERS) as workers:
        for limit in (0, -1, float("nan"), None):
            with pytest.raises(ValueError, match="time_limit is"):
                workers.wait(limit)
        with pytest.raises(WorkerError, match=r"not done after 0.2 s"):
            workers.wait(0.2)
    assert workers.processes[0].poll() is not None
