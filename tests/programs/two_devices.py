"""Trains on one device and on two, which must be the same; ``argv[1]`` is a folder for streamed digits."""

import functools
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_mnist
from lstm_mnist.better import distortions
from lstm_mnist.bigger import sharing
from lstm_mnist.bigger.shards import write_shards

strategy = tf.distribute.MirroredStrategy(sharing.logical_cpus(2))
split = lstm_mnist.load_mnist().train


def run(strategy=None, **settings):
    keras.utils.set_random_seed(0)
    with (strategy or tf.distribute.get_strategy()).scope():
        model = lstm_mnist.LSTMClassifier(8)
        optimizer = keras.optimizers.Adam(0.01, global_clipnorm=0.1, weight_decay=0.1, use_ema=True, ema_momentum=0.9)
    model.lstm.implementation = "plain"
    distort = lambda images, n: distortions.distort(images, [n, 1])
    watchers = [lstm_mnist.Printing(3)]
    train = functools.partial(sharing.train_shared, strategy) if strategy else lstm_mnist.train
    compute = sharing.share_out(strategy) if strategy else lstm_mnist.compute_gradients
    compute = distortions.on_changed(distort, compute)
    history = train(model, split, 7, 32, 3, optimizer, compute, watchers)
    assert optimizer.iterations.numpy() == 7
    return np.stack(history), model.get_weights()


(histories, weights) = zip(run(), run(strategy), strict=True)
assert histories[0][2].max() > 0.1, "the clipping has to matter"
np.testing.assert_allclose(*histories, atol=1e-5)
for one, two in zip(*weights, strict=True):
    np.testing.assert_allclose(one, two, atol=1e-5)


def stream(strategy=None):
    keras.utils.set_random_seed(0)
    with (strategy or tf.distribute.get_strategy()).scope():
        model = lstm_mnist.LSTMClassifier(8)
    model.lstm.implementation = "plain"
    train = functools.partial(sharing.train_shared, strategy) if strategy else lstm_mnist.train
    history = train(model, digits, 3, 32, watchers=())
    return np.stack(history), model.get_weights()


digits = write_shards(sys.argv[1], [(split.images[:100], split.labels[:100])], shards=1)
(histories, weights) = zip(stream(), stream(strategy), strict=True)
np.testing.assert_allclose(*histories, atol=1e-5)
for one, two in zip(*weights, strict=True):
    np.testing.assert_allclose(one, two, atol=1e-5)

with strategy.scope():
    odd = lstm_mnist.LSTMClassifier(8)
with pytest.raises(ValueError, match="batch_size is 33: choose a multiple of 2"):
    sharing.train_shared(strategy, odd, split, 7, 33)
with pytest.raises(RuntimeError, match="call logical_cpus first"):
    sharing.logical_cpus(3)
