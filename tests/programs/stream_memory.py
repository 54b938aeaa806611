"""Trains on 20,000 and on 200,000 streamed digits and prints the peak memory; ``argv[1]`` is a folder for them."""

import sys

import lstm_mnist
from lstm_mnist.better.distortions import on_changed
from lstm_mnist.bigger.shards import write_shards
from lstm_mnist.processes import peak_memory

train = lstm_mnist.load_mnist().train
model = lstm_mnist.LSTMClassifier(2)
model.lstm.implementation = "plain"
for run, times in enumerate((1, 1, 10)):
    batches = ((train.images[:10_000], train.labels[:10_000]) for _ in range(2 * times))
    shards = write_shards(f"{sys.argv[1]}/{run}", batches)
    upside_down = on_changed(lambda images, n: images[:, ::-1])
    history = lstm_mnist.train(model, shards, 50 * times, 400, compute=upside_down, watchers=())
    print(len(shards), len(history.loss), peak_memory())
