"""Exercises of notebook 04."""

import numpy as np

from .checker import Exercise

P, N = 4925 / 5000, 5000

PAIRS = ((0.984, 0.986), (0.5, 0.51))

MATRIX = np.random.default_rng(1).integers(1, 30, (10, 10)) + np.diag(np.arange(900, 1000, 10))

CONFIDENCE = np.array([0.93, 0.97, 0.99, 0.95, 0.91, 0.98, 0.72, 0.78, 0.64, 0.36])
RIGHT = np.array([True, True, True, True, False, True, True, False, False, True])


def variance(p):
    """Of one answer that is right with probability ``p``."""
    return p * (1 - p)


def precision(matrix, digit):
    return matrix[digit, digit] / matrix[:, digit].sum()


def bin_gaps(confidence, right):
    """Share of the answers, and accuracy minus confidence, in each bin that is not empty."""
    number = np.ceil(10 * confidence).astype(int)
    shares, gaps = [], []
    for k in np.unique(number):
        here = number == k
        shares.append(here.mean())
        gaps.append(right[here].mean() - confidence[here].mean())
    return np.array(shares), np.array(gaps)


def expected_error(confidence, right):
    shares, gaps = bin_gaps(confidence, right)
    return (shares * np.abs(gaps)).sum()


EXERCISES = {
    "04.1": Exercise(
        right=np.sqrt(variance(P) / N),
        praise="0.0017, so the third decimal of this accuracy is already uncertain",
        wrong={
            "that is the variance of the accuracy; take its square root": variance(P) / N,
            "that is the spread of a single answer; divide by n under the root": np.sqrt(variance(P)),
            "n belongs under the root": np.sqrt(variance(P)) / N,
            "that is in percentage points; write it as a share, as the accuracy is": 100 * np.sqrt(variance(P) / N),
            "that is two standard errors, as for a 95 % interval; give one": 1.96 * np.sqrt(variance(P) / N),
            "that is for the 10,000 test images; here are fewer": np.sqrt(variance(P) / 10_000),
            "that is rounded too much; give two digits that are not 0": 0.002,
        },
        hint="p (1 − p) is the variance of one answer, an n-th of it that of the accuracy; the root comes last",
        rtol=0.02,
    ),
    "04.2": Exercise(
        right=lambda p1, p2: 4 * (variance(p1) + variance(p2)) / (p1 - p2) ** 2,
        praise="29,548 images for 98.4 % against 98.6 %, three times as many as MNIST's test set has",
        wrong={
            "half of what is needed: that has the variance of the first network alone": (
                lambda p1, p2: 4 * variance(p1) / (p1 - p2) ** 2
            ),
            "half of what is needed: the 2 must be squared, too": (
                lambda p1, p2: 2 * (variance(p1) + variance(p2)) / (p1 - p2) ** 2
            ),
            "the difference must be squared, because n stands under a root": (
                lambda p1, p2: 4 * (variance(p1) + variance(p2)) / abs(p1 - p2)
            ),
            "that makes the difference one standard error; two were asked for": (
                lambda p1, p2: (variance(p1) + variance(p2)) / (p1 - p2) ** 2
            ),
            "standard errors add as squares: √(s₁² + s₂²), not s₁ + s₂": (
                lambda p1, p2: 4 * (np.sqrt(variance(p1)) + np.sqrt(variance(p2))) ** 2 / (p1 - p2) ** 2
            ),
            "right but for the factor: the task asks for 2 standard errors, not 1.96": (
                lambda p1, p2: 1.96**2 * (variance(p1) + variance(p2)) / (p1 - p2) ** 2
            ),
        },
        inputs=PAIRS,
        rtol=0.01,
    ),
    "04.3": Exercise(
        right=precision,
        praise="of all answers with this digit (its column), the share that is true",
        wrong={
            "that is the recall: rows are true digits; the answers with this digit are a column": (
                lambda matrix, digit: matrix[digit, digit] / matrix[digit].sum()
            ),
            "that is in per cent; give a share": lambda matrix, digit: 100 * precision(matrix, digit),
            "divided by all images; divide by those that were answered with this digit": (
                lambda matrix, digit: matrix[digit, digit] / matrix.sum()
            ),
            "right for the 9, but the function is asked for other digits, too": (
                lambda matrix, digit: precision(matrix, 9)
            ),
        },
        inputs=((MATRIX, 9), (MATRIX, 4)),
    ),
    "04.4": Exercise(
        right=expected_error,
        praise="each bin's gap counts as much as the bin has answers",
        wrong={
            "weigh each bin by its number of answers: yours counts all bins alike": (
                lambda confidence, right: np.abs(bin_gaps(confidence, right)[1]).mean()
            ),
            "that counts each empty bin as well; divide by the number of answers, not of bins": (
                lambda confidence, right: np.abs(bin_gaps(confidence, right)[1]).sum() / 10
            ),
            "the gaps of the bins cancel out: take each bin's absolute gap before averaging": (
                lambda confidence, right: abs(right.mean() - confidence.mean())
            ),
            "that is the mean gap between each single answer and its confidence; bin them first": (
                lambda confidence, right: np.abs(right - confidence).mean()
            ),
            "a bin without answers has no mean (0 / 0): leave it out": lambda confidence, right: np.nan,
        },
        inputs=((CONFIDENCE, RIGHT), (CONFIDENCE[:8], RIGHT[2:])),
    ),
}
