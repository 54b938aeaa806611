"""The pictures: every function takes arrays and returns a ``matplotlib.figure.Figure``; none knows TensorFlow."""

from .better import halving
from .bigger import arrangements, growth, network, same_curves, shared_step, stream_memory
from .data import class_shares, row_as_features
from .drawing import belief_by_row, preparation
from .evaluation import confusion
from .faster import bench_times, rungs
from .inside import accuracy_table, pixel_maps, reading, state_ranges
from .lstm import CELL_PARTS, lstm_cell, operation_counts, squashing, unrolled
from .shared import digits, intervals, lines, medians, probabilities, reliability, runs
from .style import BLACK, BLUE, GATE_COLOURS, GREEN, GREY, ORANGE, PINK, RED, SKY, YELLOW, new_figure, show_image
from .training import smooth, training_curves
