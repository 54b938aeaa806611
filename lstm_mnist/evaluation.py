"""What a trained network knows: accuracy with its uncertainty, confusions, calibration, telling mistakes."""

from math import comb, sqrt
from typing import NamedTuple

import keras
import numpy as np

from .checks import check_images, check_labels, check_positive, check_whole, is_float

Z_95 = 1.959963984540054  # the standard normal's 97.5 % point


class Calibration(NamedTuple):
    """Answers sorted by confidence into bins; arrays ``[bins]``, both means NaN where a bin is empty."""

    confidence: np.ndarray  # mean confidence of the bin's answers
    accuracy: np.ndarray  # share of them that are right
    count: np.ndarray  # int64, how many they are
    expected_error: float  # mean gap of the two, weighted by count (ECE)


class PairedTest(NamedTuple):
    """Two networks' answers to the same examples, counted, and how often chance alone would be as uneven."""

    only_first: int  # answered rightly by the first network alone
    only_second: int
    p_value: float


def predict_probabilities(model, images):
    """Softmax probabilities float32 ``[n, num_classes]`` for images ``[n, rows, columns]``.

    ``model`` is a Keras model that gives logits; one in 16-bit arithmetic gives probabilities in float32 too. Raises
    ``TypeError`` for anything else, ``ValueError`` for images that cannot be read, or a model that has a softmax.
    """
    if not hasattr(model, "predict"):
        raise TypeError(f"model is of type {type(model).__name__}: give a Keras model, such as an LSTMClassifier")
    check_images(images)
    logits = keras.ops.cast(model.predict(images, batch_size=1000, verbose=0), "float32")
    if len(logits.shape) != 2:
        raise ValueError(f"the model answers in shape {tuple(logits.shape)}: expected logits [n, num_classes]")
    logits = np.asarray(logits)
    if logits.min() >= 0 and np.allclose(logits.sum(axis=1), 1, atol=1e-2):
        raise ValueError("the model answers in probabilities: take its softmax away, it is applied here")
    return np.asarray(keras.ops.softmax(logits))


def wilson_interval(correct, total):
    """The 95 % interval (low, high) for a share of ``correct`` among ``total`` (Wilson 1927).

    Raises ``ValueError`` where that is no share of whole numbers.
    """
    total = check_positive("total", total)
    correct = check_whole("correct", correct, 0, total)
    share, z, z2 = correct / total, Z_95, Z_95**2
    centre = share + z2 / (2 * total)
    half = z * sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    low, high = max(0.0, (centre - half) / (1 + z2 / total)), min(1.0, (centre + half) / (1 + z2 / total))
    return min(low, share), max(high, share)  # the share lies inside, which rounding may miss by a digit


def accuracy_by_class(probabilities, labels):
    """Share of each class's examples answered correctly: float64 ``[num_classes]``, NaN where a class is absent."""
    matrix = confusion_matrix(probabilities, labels)
    with np.errstate(invalid="ignore"):
        return np.diag(matrix) / matrix.sum(axis=1)


def confusion_matrix(probabilities, labels):
    """int64 ``[num_classes, num_classes]``: row = the true label, column = the answer.

    Raises ``ValueError`` for what are no probabilities or labels, as all below do.
    """
    probabilities, labels = _checked(probabilities, labels)
    num_classes = probabilities.shape[1]
    matrix = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(matrix, (labels, probabilities.argmax(axis=1)), 1)
    return matrix


def calibration(probabilities, labels, bins=10):
    """``Calibration`` of the answers in equally wide bins of confidence (Guo et al. 2017)."""
    bins = check_whole("bins", bins, 1, 10_000)
    probabilities, labels = _checked(probabilities, labels)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    upper_edges = (np.arange(1, bins + 1) / bins).astype(confidence.dtype)
    place = np.searchsorted(upper_edges, confidence)  # bin k holds (k/bins, (k+1)/bins]
    place = np.minimum(place, bins - 1)  # a confidence may be rounded to just over 1
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(place, weights=confidence, minlength=bins) / count  # sum in each bin / how many
        mean_accuracy = np.bincount(place, weights=right, minlength=bins) / count
    error = np.nansum(count * np.abs(mean_confidence - mean_accuracy)) / len(labels)
    return Calibration(mean_confidence, mean_accuracy, count, float(error))


def most_confident_mistakes(probabilities, labels, most=20):
    """Indices of wrongly answered examples, the surest first, at most ``most``."""
    most = check_positive("most", most)
    probabilities, labels = _checked(probabilities, labels)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:most]


def paired_test(first, second, labels):
    """``PairedTest`` of two networks' probabilities ``[n, num_classes]`` for the same examples.

    Examples that both answer rightly or both wrongly tell nothing about which is the better one. Were the networks
    equally good, each of the others would fall to either side like a fair coin: ``p_value`` is how often that many
    coins part at least so unevenly (McNemar 1947, with exact binomial probabilities, two-sided). It says nothing about
    how far other seeds would part.
    """
    first, labels = _checked(first, labels)
    second, _ = _checked(second, labels)
    first_right, second_right = first.argmax(axis=1) == labels, second.argmax(axis=1) == labels
    only_first, only_second = int(np.sum(first_right & ~second_right)), int(np.sum(second_right & ~first_right))
    return PairedTest(only_first, only_second, _fair_coins(only_first, only_second))


def _fair_coins(heads, tails):
    """How often ``heads + tails`` fair coins part at least as unevenly as this."""
    coins = heads + tails
    one_side = sum(comb(coins, k) for k in range(min(heads, tails) + 1))  # of all 2**coins ways to fall
    return min(1.0, 2 * one_side / 2**coins)


def _checked(probabilities, labels):
    """Both as arrays, probabilities float32 or float64; ``ValueError`` unless they are what they should be."""
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 2 or 0 in probabilities.shape:
        raise ValueError(f"probabilities have shape {probabilities.shape}: expected [n, num_classes] with n >= 1")
    if not is_float(probabilities.dtype):
        raise ValueError(f"probabilities have dtype {probabilities.dtype}: use floats, as softmax gives them")
    rounding = 1e-2 if probabilities.dtype.itemsize == 2 else 1e-3
    if probabilities.dtype != np.float32:
        probabilities = probabilities.astype(np.float64)
    sums = probabilities.sum(axis=1, dtype=np.float64)
    if not (probabilities.min() >= 0 and np.allclose(sums, 1, atol=rounding)):
        raise ValueError("probabilities do not add up to 1 in each row: apply softmax to logits first")
    check_labels(labels, *probabilities.shape)
    return probabilities, np.asarray(labels, np.int64)
