"""The pictures: every function takes arrays and returns a ``matplotlib.figure.Figure``; none knows TensorFlow."""

from .better import against_steps, halving
from .data import class_shares, row_as_features
from .drawing import preparation
from .evaluation import confusion
from .faster import bench_times
from .inside import accuracy_table, pixel_maps, reading
from .lstm import lstm_cell, unrolled
from .shared import digits, intervals, lines, medians, probabilities, reliability, runs
from .training import training_curves
