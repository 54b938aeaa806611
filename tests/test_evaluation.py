import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_mnist
from lstm_mnist import evaluation


def one_hot(answers, confidence=1.0, num_classes=3):
    """Probabilities with the given answers and confidence."""
    rest = (1 - confidence) / (num_classes - 1)
    return np.where(np.arange(num_classes) == np.asarray(answers)[:, None], confidence, rest)


def test_probabilities_are_the_softmax_of_the_logits():
    model, images = lstm_mnist.load_pretrained("2019"), lstm_mnist.load_mnist().test.images[:50]
    logits = model(images).numpy().astype(float)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(evaluation.predict_probabilities(model, images), expected, atol=1e-5)


def test_a_model_that_gives_probabilities_is_refused():
    model, images = lstm_mnist.LSTMClassifier(8), lstm_mnist.load_mnist().test.images[:50]
    with pytest.raises(ValueError, match="answers in probabilities: take its softmax away"):
        evaluation.predict_probabilities(
            keras.Sequential([keras.Input((28, 28), dtype="uint8"), model, keras.layers.Softmax()]), images
        )


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float16", "float64"])
def test_probabilities_are_float32_for_networks_of_every_precision_and_every_measure_takes_them(dtype):
    test = lstm_mnist.load_mnist().test
    model = lstm_mnist.LSTMClassifier(8, dtype=dtype)
    probabilities = evaluation.predict_probabilities(model, test.images[:20])
    assert probabilities.dtype == np.float32
    assert evaluation.confusion_matrix(probabilities, test.labels[:20]).sum() == 20
    rounded = tf.cast(probabilities, "bfloat16").numpy()
    assert evaluation.calibration(rounded, test.labels[:20]).count.sum() == 20


def test_what_cannot_answer_is_named():
    images = lstm_mnist.load_mnist().test.images[:2]
    with pytest.raises(TypeError, match="model is of type str: give a Keras model"):
        evaluation.predict_probabilities("2019", images)
    with pytest.raises(ValueError, match=r"answers in shape \(2, 28, 3\): expected logits"):
        evaluation.predict_probabilities(keras.Sequential([keras.layers.Dense(3)]), images)
    with pytest.raises(ValueError, match="images are of type NoneType"):
        evaluation.predict_probabilities(lstm_mnist.LSTMClassifier(8), None)


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [
        # Published worked values of Wilson's interval (Newcombe 1998, table I, method 3), and our own 126 of 128.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (126, 128, 0.9448, 0.9957),
    ],
)
def test_wilson_interval_has_the_published_values(correct, total, low, high):
    np.testing.assert_allclose(evaluation.wilson_interval(correct, total), (low, high), atol=5.1e-5)


def test_wilson_interval_is_mirrored_and_within_0_and_1():
    low, high = evaluation.wilson_interval(3, 50)
    np.testing.assert_allclose(evaluation.wilson_interval(47, 50), (1 - high, 1 - low))
    assert evaluation.wilson_interval(50, 50)[1] == 1
    assert evaluation.wilson_interval(0, 50)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        *(((1, total), "total") for total in (0, -5, 2.5, True, None, np.nan, 10**400)),
        *(((correct, 5), "correct") for correct in (-1, 6, 2.0, True, None, np.nan, np.array([1, 2]))),
    ],
)
def test_wilson_interval_refuses_impossible_counts(arguments, name):
    with pytest.raises(ValueError, match=f"{name} is "):
        evaluation.wilson_interval(*arguments)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_wilson_interval_takes_numpy_numbers_of_every_size(dtype):
    largest = min(np.iinfo(dtype).max, 10_000)
    assert evaluation.wilson_interval(dtype(20), dtype(largest)) == evaluation.wilson_interval(20, largest)


def test_confusion_has_true_labels_in_rows():
    matrix = evaluation.confusion_matrix(one_hot([0, 1, 1, 2]), [0, 0, 1, 1])
    np.testing.assert_array_equal(matrix, [[1, 1, 0], [0, 1, 1], [0, 0, 0]])


def test_accuracy_by_class_counts_true_labels():
    by_class = evaluation.accuracy_by_class(one_hot([0, 1, 1, 1]), [0, 0, 0, 1])
    np.testing.assert_allclose(by_class, [1 / 3, 1, np.nan])


def test_calibration_by_hand():
    probabilities = np.concatenate([one_hot([0, 0, 0, 0], 0.75), one_hot([1, 1], 0.95), one_hot([2], 0.8)])
    result = evaluation.calibration(probabilities, [0, 0, 1, 1, 1, 1, 2])
    np.testing.assert_array_equal(result.count, [0, 0, 0, 0, 0, 0, 0, 5, 0, 2])  # 0.8 belongs to (0.7, 0.8]
    assert result.accuracy[7] == pytest.approx(3 / 5)
    assert result.confidence[7] == pytest.approx((4 * 0.75 + 0.8) / 5)
    assert result.accuracy[9] == 1
    assert np.isnan(result.accuracy[0])
    expected = (5 * abs(3 / 5 - 3.8 / 5) + 2 * 0.05) / 7
    assert result.expected_error == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_confidence_on_an_edge_belongs_to_the_bin_below_it(dtype):
    for bins in range(2, 101):
        edges = (np.arange(1, bins + 1) / bins).astype(dtype)
        edges = edges[edges >= 0.5]  # the larger of two probabilities
        count = evaluation.calibration(np.stack([edges, 1 - edges], axis=1), np.zeros(len(edges), int), bins).count
        np.testing.assert_array_equal(np.flatnonzero(count), np.arange(bins - len(edges), bins))


def test_perfectly_calibrated_answers_have_no_error():
    probabilities, labels = one_hot([0] * 10, 0.8), [0] * 8 + [1] * 2
    assert evaluation.calibration(probabilities, labels).expected_error == pytest.approx(0, abs=1e-12)


def test_most_confident_mistakes_come_surest_first():
    probabilities = np.concatenate([one_hot([0], c) for c in (0.6, 0.9, 0.8, 0.99)])
    np.testing.assert_array_equal(evaluation.most_confident_mistakes(probabilities, [1, 1, 1, 0]), [1, 2, 0])
    np.testing.assert_array_equal(evaluation.most_confident_mistakes(probabilities, [1, 1, 1, 0], most=1), [1])


@pytest.mark.parametrize("measure", ["confusion_matrix", "accuracy_by_class", "calibration", "most_confident_mistakes"])
def test_bad_input_is_named(measure):
    function = getattr(evaluation, measure)
    with pytest.raises(ValueError, match="apply softmax"):
        function(np.array([[3.0, -1.0, 2.0]]), [0])
    with pytest.raises(ValueError, match="apply softmax"):
        function(np.array([[3.0, 1.0, 2.0]]), [0])
    with pytest.raises(ValueError, match="one label per image"):
        function(one_hot([0, 1]), [0])
    with pytest.raises(ValueError, match=r"expected 0\.\.2"):
        function(one_hot([0]), [3])
    for nothing in (np.zeros((0, 3)), None, 0.5, "softmax"):
        with pytest.raises(ValueError, match="probabilities have shape"):
            function(nothing, [])


def answers(first, second):
    """The probabilities of two networks for examples of which all have the label 0, by whether each is right."""
    return one_hot([0 if right else 1 for right in first]), one_hot([0 if right else 1 for right in second])


@pytest.mark.parametrize(
    ("only_first", "only_second", "p_value"),
    [
        (0, 0, 1),
        (1, 0, 1),  # 2 x 1/2
        (5, 0, 2 / 2**5),
        (0, 6, 2 / 2**6),
        (9, 1, 2 * (1 + 10) / 2**10),
        (2, 8, 2 * (1 + 10 + 45) / 2**10),
        (3, 3, 1),
    ],
)
def test_two_networks_are_compared_as_fair_coins_would_fall(only_first, only_second, p_value):
    first = [True] * only_first + [False] * only_second + [True] * 4 + [False] * 2
    second = [False] * only_first + [True] * only_second + [True] * 4 + [False] * 2
    result = evaluation.paired_test(*answers(first, second), [0] * len(first))
    assert result[:2] == (only_first, only_second)
    assert result.p_value == pytest.approx(p_value)


def test_a_paired_test_has_the_p_value_that_the_binomial_distribution_gives():
    first, second = [True] * 125 + [False] * 59, [False] * 125 + [True] * 59
    coins = np.random.default_rng(0).binomial(184, 0.5, 2_000_000)
    simulated = np.mean(np.abs(coins - 92) >= 33)
    result = evaluation.paired_test(*answers(first, second), [0] * 184)
    assert result.p_value == pytest.approx(simulated, abs=5e-6)


def test_a_paired_test_of_10_000_differences_is_exact_and_quick():
    right = np.arange(10_000) % 2 == 0
    assert evaluation.paired_test(*answers(right, ~right), np.zeros(10_000, int)).p_value == 1


def test_a_paired_test_refuses_answers_to_other_examples():
    first, second = answers([True] * 3, [True] * 2)
    with pytest.raises(ValueError, match="one label per image"):
        evaluation.paired_test(first, second, [0, 0, 0])
