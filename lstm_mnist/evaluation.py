"""What a trained network knows: accuracy with its uncertainty, confusions, calibration, telling mistakes."""

from math import sqrt
from typing import NamedTuple

import keras
import numpy as np

from .data import check_labels, check_positive

Z_95 = 1.959963984540054  # the standard normal's 97.5 % point


class Calibration(NamedTuple):
    """Answers sorted by confidence into bins; arrays ``[bins]``, NaN where a bin is empty."""

    confidence: np.ndarray  # mean confidence of the bin's answers
    accuracy: np.ndarray  # share of them that are right
    count: np.ndarray  # int64, how many they are
    expected_error: float  # mean gap of the two, weighted by count (ECE)


def predict_probabilities(model, images, batch_size=1000):
    """Softmax probabilities float32 ``[n, num_classes]`` for images ``[n, rows, columns]``."""
    check_positive("batch_size", batch_size)
    logits = model.predict(images, batch_size=batch_size, verbose=0)
    return np.asarray(keras.ops.softmax(logits))


def wilson_interval(correct, total, z=Z_95):
    """The interval (low, high) for a share of ``correct`` among ``total``, 95 % by default (Wilson 1927)."""
    check_positive("total", total)
    if not 0 <= correct <= total:
        raise ValueError(f"correct is {correct}: expected 0..{total}")
    share, z2 = correct / total, z * z
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = z / (1 + z2 / total) * sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    return max(0.0, centre - half), min(1.0, centre + half)


def accuracy_by_class(probabilities, labels):
    """Share of each class's examples answered correctly: float64 ``[num_classes]``, NaN where a class is absent."""
    matrix = confusion_matrix(probabilities, labels)
    with np.errstate(invalid="ignore"):
        return np.diag(matrix) / matrix.sum(axis=1)


def confusion_matrix(probabilities, labels):
    """int64 ``[num_classes, num_classes]``: row = the true label, column = the answer."""
    probabilities, labels = _checked(probabilities, labels)
    num_classes = probabilities.shape[1]
    matrix = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(matrix, (labels, probabilities.argmax(axis=1)), 1)
    return matrix


def calibration(probabilities, labels, bins=10):
    """``Calibration`` of the answers in equally wide bins of confidence (Guo et al. 2017)."""
    check_positive("bins", bins)
    probabilities, labels = _checked(probabilities, labels)
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)  # bin k holds (k/bins, (k+1)/bins]
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(place, confidence, bins) / count
        mean_accuracy = np.bincount(place, right, bins) / count
    error = np.nansum(count * np.abs(mean_confidence - mean_accuracy)) / len(labels)
    return Calibration(mean_confidence, mean_accuracy, count, float(error))


def most_confident_mistakes(probabilities, labels, most=20):
    """Indices of wrongly answered examples, the surest first, at most ``most``."""
    check_positive("most", most)
    probabilities, labels = _checked(probabilities, labels)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:most]


def _checked(probabilities, labels):
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    if probabilities.ndim != 2 or 0 in probabilities.shape:
        raise ValueError(f"probabilities have shape {probabilities.shape}: expected [n, num_classes] with n >= 1")
    if probabilities.dtype.kind not in "fiu":
        raise ValueError(f"probabilities have dtype {probabilities.dtype}: use floats, as softmax gives them")
    if not (probabilities.min() >= 0 and np.allclose(probabilities.sum(axis=1), 1, atol=1e-3)):
        raise ValueError("probabilities do not add up to 1 in each row: apply softmax to logits first")
    check_labels(labels, *probabilities.shape)
    return probabilities, labels
