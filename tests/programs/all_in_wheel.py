"""Fails where the package at ``argv[1]`` does not carry its data, weights, ledger and drawn digits."""

import sys
from pathlib import Path

import lstm_mnist
from lstm_mnist.better import ledger, recipes

assert Path(lstm_mnist.__file__).is_relative_to(sys.argv[1]), lstm_mnist.__file__
assert len(lstm_mnist.load_mnist().test) == 10_000
for name in recipes.KEPT:
    lstm_mnist.load_pretrained(name)
assert len(ledger.read_ledger("2019")) == 5
assert len(lstm_mnist.drawing.load_drawn_digits()) == 80
