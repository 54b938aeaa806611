"""Trains, is killed in mid-training so many times and goes on; ``argv``: checkpoint folder, kills, result file."""

import os
import random
import signal
import sys
import time

import keras
import numpy as np

import lstm_mnist

folder, kills, result = sys.argv[1], int(sys.argv[2]), sys.argv[3]
rng = random.Random(0)
test = lstm_mnist.load_mnist().test
split = lstm_mnist.Split(test.images[:200], test.labels[:200])


def child(seed, steps=10**6):
    process = os.fork()  # TensorFlow is imported but not yet started, so it may be forked
    if process:
        return process
    keras.utils.set_random_seed(seed)
    model = lstm_mnist.LSTMClassifier(num_hidden=4)
    history = lstm_mnist.train(model, split, steps, 8, watchers=[lstm_mnist.Checkpoints(folder, every=2)])
    np.savez(result, *model.get_weights(), *history)
    os._exit(0)


def reached():
    path = os.path.join(folder, "run.npz")
    if not os.path.exists(path):
        return 0
    with np.load(path) as run:  # raises for a damaged one
        return len({name: run[name] for name in run.files}["history"])


for kill in range(kills):
    before = reached()
    process = child(kill if before else 0)
    while kill % 4 and reached() == before:  # every fourth dies while it starts, the others while they save
        assert os.waitpid(process, os.WNOHANG) == (0, 0), "it ended by itself"
        time.sleep(0.01)
    time.sleep(rng.uniform(0, 0.1 if kill % 4 else 2))
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    print(reached(), flush=True)
sys.exit(os.waitpid(child(kills, reached() + 20), 0)[1])
