import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from lstm_mnist import evaluation, plots
from lstm_mnist.plots.inside import STATE_TITLES, show_states
from lstm_mnist.plots.lstm import CELL_PARTS
from lstm_mnist.plots.style import ORANGE, RED

IMAGES = np.random.default_rng(0).integers(0, 256, (13, 28, 28), np.uint8)


def labelled(ax):
    return bool(ax.get_xlabel()) and bool(ax.get_ylabel())


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def texts_inside(fig):
    """Whether everything drawn lies within the figure: a clipped label is a bug."""
    fig.draw_without_rendering()
    box, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    return box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + 0.02 and box.y1 < height + 0.02


def test_figures_are_not_left_open_in_pyplot():
    assert isinstance(plots.digits(IMAGES[:1]), Figure)
    assert plt.get_fignums() == []


def test_digits_shows_each_image_under_its_title():
    fig = plots.digits(IMAGES, [f"n{k}" for k in range(13)], columns=5)
    shown = [ax for ax in fig.axes if ax.images]
    assert [ax.get_title() for ax in shown] == [f"n{k}" for k in range(13)]
    for ax, image in zip(shown, IMAGES, strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), image)
        assert ax.images[0].get_clim() == (0, 255)
        assert ax.images[0].get_cmap()(1.0)[:3] == (0, 0, 0)  # ink is black
    assert texts_inside(fig)


def test_row_as_features_marks_and_draws_the_row():
    fig = plots.row_as_features(IMAGES[0], 8)
    left, right = fig.axes
    np.testing.assert_array_equal([bar.get_height() for bar in right.patches], IMAGES[0][7])
    assert left.patches[0].get_y() == 6.5
    assert labelled(right)
    assert texts_inside(fig)


def test_class_shares_are_per_cent():
    fig = plots.class_shares([np.array([0, 0, 1, 9]), np.array([5])], ["a", "b"])
    bars = [[bar.get_height() for bar in group] for group in fig.axes[0].containers]
    assert bars[0] == [50, 25, 0, 0, 0, 0, 0, 0, 0, 25]
    assert bars[1][5] == 100
    assert legend(fig.axes[0]) == ["a", "b"]
    assert labelled(fig.axes[0])


def test_the_cell_grows_by_one_part_at_a_time():
    sizes = []
    for part in CELL_PARTS:
        fig = plots.lstm_cell(part)
        sizes.append(len(fig.axes[0].texts))
        assert texts_inside(fig)
    assert sizes == sorted(set(sizes))
    words = " ".join(text.get_text() for text in fig.axes[0].texts)
    for name in ("f_t", "i_t", "tilde{c}_t", "o_t", "c_{t-1}", "h_{t-1}", "$c_t$", "$h_t$", "x_t"):
        assert name in words


def test_unrolled_shows_the_rows_it_names():
    fig = plots.unrolled(IMAGES[0])
    for picture, t in zip(fig.axes[0].images, (1, 2, 3, 14, 28), strict=True):
        np.testing.assert_array_equal(picture.get_array(), IMAGES[0][t - 1 : t])
    assert texts_inside(fig)


def test_training_curves_show_each_step_and_the_running_mean():
    history = np.random.default_rng(0).random((3, 200))
    fig = plots.training_curves(history, window=20)
    for ax, values in zip(fig.axes, history, strict=True):
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), values)
        np.testing.assert_array_equal(ax.lines[0].get_xdata(), np.arange(1, 201))
        assert ax.lines[1].get_ydata()[0] == pytest.approx(values[:20].mean())
        assert ax.lines[1].get_xdata()[0] == 20
        assert legend(ax) == ["each step", "mean of 20 steps"]
    assert [ax.get_ylabel().split()[0].strip(",") for ax in fig.axes] == ["loss", "accuracy", "gradient"]
    assert texts_inside(fig)


def test_lines_are_named_and_told_apart_without_colour():
    fig = plots.lines([1, 2], {"a": [3, 4], "b": [5, 6]}, "step", "loss, nats", log=True)
    ax = fig.axes[0]
    assert legend(ax) == ["a", "b"]
    assert [list(line.get_ydata()) for line in ax.lines] == [[3, 4], [5, 6]]
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("step", "loss, nats", "log")
    assert texts_inside(fig)


def test_intervals_are_drawn_where_they_are():
    fig = plots.intervals(["a", "b"], [0.5, 0.6], [0.4, 0.55], [0.7, 0.65], "share")
    line, _, (bars,) = fig.axes[0].containers[0]
    np.testing.assert_allclose(line.get_xdata(), [0.5, 0.6])
    np.testing.assert_allclose([segment[:, 0] for segment in bars.get_segments()], [[0.4, 0.7], [0.55, 0.65]])
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["a", "b"]
    assert texts_inside(fig)


def test_confusion_has_true_digits_downwards():
    matrix = np.arange(9).reshape(3, 3) + 1
    fig = plots.confusion(matrix)
    ax = fig.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("answer", "true digit")
    cells = {text.get_position(): int(text.get_text()) for text in ax.texts}
    assert cells == {(answer, true): matrix[true, answer] for true in range(3) for answer in range(3)}
    shown = ax.images[0].get_array()
    assert shown[0, 2] == 3
    assert np.ma.is_masked(shown[1, 1]) or np.isnan(shown[1, 1])


def test_reliability_draws_accuracy_over_confidence():
    result = evaluation.Calibration(np.array([0.2, 0.9]), np.array([0.1, 0.8]), np.array([5, 7]), 0.1)
    top, bottom = plots.reliability(result, np.array([0.05, 0.6]), np.array([0.4, 0.9])).axes
    points, _, (intervals,) = top.containers[0]
    np.testing.assert_array_equal(points.get_xdata(), result.confidence)
    np.testing.assert_array_equal(points.get_ydata(), result.accuracy)
    np.testing.assert_allclose([ends[:, 1] for ends in intervals.get_segments()], [[0.05, 0.4], [0.6, 0.9]])
    assert [bar.get_height() for bar in bottom.patches] == [5, 7]
    assert legend(top) == ["perfectly calibrated", "the network, with 95 % interval"]


def test_probabilities_mark_the_answer():
    values = np.array([0.1, 0.7, 0.2])
    left, right = plots.probabilities(IMAGES[0], values, label=1).axes
    assert [bar.get_height() for bar in right.patches] == list(values)
    assert [to_hex(bar.get_facecolor()) == to_hex(ORANGE) for bar in right.patches] == [False, True, False]
    assert left.get_title() == "true digit: 1"
    assert labelled(right)


def test_states_are_shown_up_to_the_row_read_row_1_on_top():
    axes, bars = plt.figure().subplots(2, len(STATE_TITLES))
    states = {name: IMAGES[0] / 255 for name in STATE_TITLES}
    show_states(axes, bars, states, 10, size=9)
    for ax in axes:
        shown = ax.images[0].get_array()
        np.testing.assert_array_equal(shown[:10], IMAGES[0][:10] / 255)
        assert np.ma.getmaskarray(shown)[10:].all()
        assert ax.get_ylim() == (27.5, -0.5)
    plt.close()


def test_halving_marks_the_run_that_won():
    fig = plots.halving({3: ([10], [0.5]), 1: ([10, 20], [0.4, 0.3]), 2: ([10, 20, 40], [0.4, 0.2, 0.1])}, kept=2)
    (ax,) = fig.axes
    assert [list(line.get_xdata()) for line in ax.lines] == [[10], [10, 20], [10, 20, 40]]
    assert [to_hex(line.get_color()) == to_hex(RED) for line in ax.lines] == [False, False, True]
    assert legend(ax) == ["dropped", "setting 2, kept to the end"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["10", "20", "40"]
    assert labelled(ax)
    assert texts_inside(fig)


def test_runs_stand_over_their_steps_with_a_line_through_the_means():
    fig = plots.against_steps({"wrong, %": {10: [1, 3], 40: [2]}, "loss": {20: [5]}})
    left, right = fig.axes
    assert (left.get_ylabel(), right.get_ylabel()) == ("wrong, %", "loss")
    *dots, means = [[*zip(*line.get_data(), strict=True)] for line in left.lines]
    assert dots == [[(10, 1), (10, 3)], [(40, 2)]]
    assert means == [(10, 2), (40, 2)]
    assert [label.get_text() for label in left.get_xticklabels()] == ["10", "40"]
    assert labelled(left)
    assert labelled(right)
    assert texts_inside(fig)


def test_medians_draw_each_round_and_mark_one_name():
    (ax,) = plots.medians({"a": [3, 1, 8], "b": [5, 5]}, "ms", ["first", "second"], highlighted="b").axes
    assert [bar.get_width() for bar in ax.patches] == [3, 5]
    assert [list(line.get_xdata()) for line in ax.lines] == [[3, 1, 8], [5, 5]]
    assert [bar.get_hatch() for bar in ax.patches] == [None, "//"]
    assert [text.get_text() for text in ax.texts] == ["first", "second"]
