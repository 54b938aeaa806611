import numpy as np
import pytest

import lstm_mnist
from lstm_mnist import evaluation
from lstm_mnist.better import ledger


def one_hot(answers, confidence=1.0, num_classes=3):
    """Probabilities with the given answers and confidence."""
    rest = (1 - confidence) / (num_classes - 1)
    return np.where(np.arange(num_classes) == np.asarray(answers)[:, None], confidence, rest)


def test_probabilities_are_the_softmax_of_the_logits():
    model, images = lstm_mnist.load_pretrained("2019"), lstm_mnist.load_mnist().test.images[:50]
    logits = model(images).numpy().astype(float)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(evaluation.predict_probabilities(model, images, batch_size=7), expected, atol=1e-5)


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


@pytest.mark.parametrize(("correct", "total"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_interval_refuses_impossible_counts(correct, total):
    with pytest.raises(ValueError, match=r"total is 0|correct is"):
        evaluation.wilson_interval(correct, total)


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
    with pytest.raises(ValueError, match="shape"):
        function(np.zeros((0, 3)), [])


def test_the_ledger_holds_three_seeds_and_more_of_the_2019_recipe_over_0_982():
    rows = ledger.read_ledger("2019")
    assert len({row["seed"] for row in rows}) == len(rows) >= 3
    assert all(float(row["test_accuracy"]) >= 0.982 for row in rows)
    recipe = lstm_mnist.pretrained_recipe("2019")
    first = next(row for row in rows if int(row["seed"]) == recipe["seed"])
    assert float(first["validation_accuracy"]) == recipe["validation_accuracy"]
    with pytest.raises(ValueError, match="no run named 'nonesuch'"):
        ledger.read_ledger("nonesuch")


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "table.csv"
    ledger.write_table(path, [{"a": 1, "b": "x, y"}])
    with pytest.raises(ValueError, match="c"):
        ledger.write_table(path, [{"a": 2, "b": "z"}, {"a": 3, "c": "?"}])
    assert ledger.read_table(path) == [{"a": "1", "b": "x, y"}]
