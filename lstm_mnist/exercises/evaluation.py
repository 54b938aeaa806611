"""Exercises of notebook 04."""

import numpy as np

from .checker import Exercise

_PAIRS = ((0.984, 0.986), (0.5, 0.51))

_MATRIX = np.random.default_rng(1).integers(1, 30, (10, 10)) + np.diag(np.arange(900, 1000, 10))

_CONFIDENCE = np.array([0.93, 0.97, 0.99, 0.95, 0.91, 0.98, 0.72, 0.78, 0.64, 0.36])

_RIGHT = np.array([True, True, True, True, False, True, True, False, False, True])


def _bin_gaps(confidence, right):
    """Share of the answers and gap between accuracy and confidence in each bin that is not empty."""
    place = np.ceil(10 * confidence).astype(int)
    bins = [place == k for k in np.unique(place)]
    return np.array([(b.mean(), right[b].mean() - confidence[b].mean()) for b in bins]).T


def _expected_error(confidence, right):
    share, gap = _bin_gaps(confidence, right)
    return (share * np.abs(gap)).sum()


EXERCISES = {
    "04.1": Exercise(
        right=np.sqrt(0.985 * 0.015 / 5000),
        praise="0.0017, so the third decimal of this accuracy is already uncertain",
        wrong={
            "that is the variance; take its square root": 0.985 * 0.015 / 5000,
            "that is the spread of a single answer; divide by n under the root": np.sqrt(0.985 * 0.015),
            "n belongs under the root": np.sqrt(0.985 * 0.015) / 5000,
            "that is in percentage points; write it as a share, as the accuracy is": 100
            * np.sqrt(0.985 * 0.015 / 5000),
            "that is 1.96 standard errors, half of the 95 % interval": 1.96 * np.sqrt(0.985 * 0.015 / 5000),
            "that is for 10,000 images; there are 5,000 here": np.sqrt(0.985 * 0.015 / 10_000),
        },
        rtol=0.02,
    ),
    "04.2": Exercise(
        right=lambda p1, p2: 4 * (p1 * (1 - p1) + p2 * (1 - p2)) / (p1 - p2) ** 2,
        praise="29,548 images for 98.4 % against 98.6 %, three times as many as MNIST's test set has",
        wrong={
            "half of what is needed: add the variances of both networks, and square the 2": (
                lambda p1, p2: 4 * p1 * (1 - p1) / (p1 - p2) ** 2
            ),
            "half of what is needed: the variances of both networks add up, and 2 squared is 4": (
                lambda p1, p2: 4 * p2 * (1 - p2) / (p1 - p2) ** 2
            ),
            "half of what is needed: 2 must be squared, too": (
                lambda p1, p2: 2 * (p1 * (1 - p1) + p2 * (1 - p2)) / (p1 - p2) ** 2
            ),
            "the difference must be squared, because n stands under a root": (
                lambda p1, p2: 4 * (p1 * (1 - p1) + p2 * (1 - p2)) / abs(p1 - p2)
            ),
            "that makes the difference one standard error; two were asked for": (
                lambda p1, p2: (p1 * (1 - p1) + p2 * (1 - p2)) / (p1 - p2) ** 2
            ),
            "standard errors add as squares: √(s₁² + s₂²), not s₁ + s₂": (
                lambda p1, p2: 4 * (np.sqrt(p1 * (1 - p1)) + np.sqrt(p2 * (1 - p2))) ** 2 / (p1 - p2) ** 2
            ),
            "right but for the factor: the task asks for 2 standard errors, not 1.96": (
                lambda p1, p2: 1.96**2 * (p1 * (1 - p1) + p2 * (1 - p2)) / (p1 - p2) ** 2
            ),
        },
        inputs=_PAIRS,
        rtol=0.01,
    ),
    "04.3": Exercise(
        right=lambda matrix, digit: matrix[digit, digit] / matrix[:, digit].sum(),
        praise="of all answers with this digit (its column), the share that is true",
        wrong={
            "that is the recall: rows are true digits; the answers with this digit are a column": (
                lambda matrix, digit: matrix[digit, digit] / matrix[digit].sum()
            ),
            "divided by all images; divide by those that were answered with this digit": (
                lambda matrix, digit: matrix[digit, digit] / matrix.sum()
            ),
            "that is the accuracy over all digits": lambda matrix, digit: np.trace(matrix) / matrix.sum(),
            "that is the share of wrong answers among them; precision is the share of right ones": (
                lambda matrix, digit: 1 - matrix[digit, digit] / matrix[:, digit].sum()
            ),
        },
        inputs=((_MATRIX, 9), (_MATRIX, 4)),
    ),
    "04.4": Exercise(
        right=_expected_error,
        praise="each bin's gap counts as much as the bin has answers",
        wrong={
            "weigh each bin by its number of answers: yours counts all bins alike": (
                lambda confidence, right: np.abs(_bin_gaps(confidence, right)[1]).mean()
            ),
            "the gaps of the bins cancel out: take each bin's absolute gap before averaging": (
                lambda confidence, right: abs(right.mean() - confidence.mean())
            ),
            "the gaps of the bins cancel out, and the sign is left: take each bin's absolute gap": (
                lambda confidence, right: right.mean() - confidence.mean()
            ),
            "that is the largest gap; average the gaps, weighted by the answers in the bins": (
                lambda confidence, right: np.abs(_bin_gaps(confidence, right)[1]).max()
            ),
            "that counts each empty bin as well; divide by the number of answers, not of bins": (
                lambda confidence, right: np.abs(_bin_gaps(confidence, right)[1]).sum() / 10
            ),
            "a bin without answers has no mean (0 / 0): leave it out": lambda confidence, right: np.nan,
            "that is in percentage points; give a share": (
                lambda confidence, right: 100 * _expected_error(confidence, right)
            ),
        },
        inputs=((_CONFIDENCE, _RIGHT), (_CONFIDENCE[:8], _RIGHT[2:])),
    ),
}
