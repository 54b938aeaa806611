import numpy as np
import pytest
import tensorflow as tf

import lstm_mnist
from lstm_mnist.better import distortions


@pytest.fixture(scope="module")
def images():
    return lstm_mnist.load_mnist().train.images[:64]


def distort(images, seed, **only):
    """Every change switched off but those named."""
    return distortions.distort(
        images, seed, **dict.fromkeys(("degrees", "scale", "shear", "shift", "bend"), 0.0) | only
    )


def middle(pixels):
    """The centres of mass ``[batch, 2]``: row and column."""
    mass = pixels.sum(axis=(1, 2))
    places = np.arange(pixels.shape[1])
    return np.stack([(pixels.sum(axis=3 - axis) * places).sum(axis=1) / mass for axis in (1, 2)], axis=1)


def test_amount_zero_leaves_the_images_as_they_are(images):
    np.testing.assert_allclose(distortions.distort(images, [0, 1], 0.0), images / np.float32(255), atol=1e-6)


def test_same_seed_same_changes_and_each_image_its_own(images):
    same = np.repeat(images[:1], 4, axis=0)
    first, again, other = (distortions.distort(same, seed).numpy() for seed in ([0, 1], [0, 1], [0, 2]))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.3
    assert min(np.abs(first[0] - image).max() for image in first[1:]) > 0.3


@pytest.mark.parametrize("change", [{"degrees": 12.0}, {"bend": 0.6}])
def test_the_affine_map_and_the_bend_both_follow_the_seed(change, images):
    first, other = (distort(images, seed, **change).numpy() for seed in ([0, 1], [0, 2]))
    assert np.abs(first - other).max() > 0.3


def test_values_stay_between_0_and_1_and_shapes_need_not_be_square():
    pixels = np.random.default_rng(0).random((3, 20, 31), np.float32)
    distorted = distortions.distort(pixels, [3, 4]).numpy()
    assert distorted.shape == (3, 20, 31)
    assert distorted.dtype == np.float32
    assert 0 <= distorted.min() <= distorted.max() <= 1 + 1e-6


def test_it_runs_inside_a_graph_and_gives_the_same(images):
    graph = tf.function(distortions.distort)
    np.testing.assert_allclose(
        graph(tf.constant(images), tf.constant([5, 6])), distortions.distort(images, [5, 6]), atol=1e-4
    )


def test_a_shift_moves_the_digit_by_up_to_so_many_pixels_both_ways(images):
    moved = middle(distort(np.pad(images, ((0, 0), (4, 4), (4, 4))), [0, 0], shift=2.5).numpy())
    shifts = moved - middle(images / 255) - 4
    assert np.abs(shifts).max() <= 2.5 + 1e-3
    assert np.abs(shifts).max(axis=0) == pytest.approx([2.5, 2.5], abs=0.3)
    assert np.abs(shifts.mean(axis=0)).max() < 0.6
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.4


@pytest.mark.parametrize(("change", "most"), [("degrees", 12.0), ("shear", 0.2), ("scale", 0.12)])
def test_turn_slant_and_size_keep_the_centre_and_the_size_of_the_change(change, most):
    """A bar through the centre: its angle and length tell what was done to it."""
    bar = np.zeros((200, 41, 41), np.float32)
    bar[:, 8:33, 19:22] = 1
    distorted = distort(bar, [0, 0], **{change: most}).numpy()
    np.testing.assert_allclose(middle(distorted), 20, atol=0.02)
    rows, columns = np.mgrid[:41, :41] - 20
    moments = [(distorted * values).sum(axis=(1, 2)) for values in (rows**2, rows * columns)]
    slope = moments[1] / moments[0]  # columns a row
    if change == "scale":
        np.testing.assert_allclose(slope, 0, atol=0.01)
        lengths = distorted[:, :, 20].sum(axis=1) / 25
        assert lengths.min() == pytest.approx(1 - most, abs=0.04)
        assert lengths.max() == pytest.approx(1 + most, abs=0.04)
    else:
        largest = np.tan(np.radians(most)) if change == "degrees" else most
        assert slope.min() == pytest.approx(-largest, abs=0.02)
        assert slope.max() == pytest.approx(largest, abs=0.02)


def test_a_bend_moves_neighbours_alike_and_far_points_differently():
    lines = np.zeros((100, 28, 28), np.float32)
    lines[:, :, 14] = 1
    lines = distort(lines, [0, 0], bend=0.6).numpy()[:, 3:-3]
    inner = (lines * np.arange(28)).sum(axis=2) / lines.sum(axis=2) - 14
    assert 0.3 < inner.std() < 0.8
    assert np.abs(np.diff(inner, axis=1)).mean() < 0.25
    assert np.corrcoef(inner[:, 0], inner[:, -1])[0, 1] < 0.5


def test_one_half_of_the_images_is_noisy_and_one_half_misses_rows_that_follow_each_other():
    grey = tf.fill([2000, 9, 7], 0.5)
    disturbed = distortions.disturb(grey, [0, 1], noise=0.1, missing_rows=3).numpy()
    missing = (disturbed == 0).all(axis=2)
    incomplete = missing.any(axis=1)
    assert incomplete.mean() == pytest.approx(0.5, abs=0.05)
    assert set(missing[incomplete].sum(axis=1)) == {3}
    assert set(missing[incomplete].argmax(axis=1)) == set(range(7))
    assert ((np.diff(missing[incomplete].astype(int), axis=1) == 1).sum(axis=1) <= 1).all()
    strength = disturbed[~incomplete].std(axis=(1, 2))
    assert np.mean(strength == 0) == pytest.approx(0.5, abs=0.05)
    assert np.mean(strength[strength > 0]) == pytest.approx(0.05, abs=0.005)


def test_disturbed_images_follow_the_seed_and_stay_between_0_and_1(images):
    pixels = images / np.float32(255)
    first, again, other = (distortions.disturb(pixels, seed).numpy() for seed in ([0, 1], [0, 1], [0, 2]))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert 0 <= first.min() <= first.max() <= 1
