"""What must hold for any input: Hypothesis looks for the one that breaks it."""

import contextlib
import gzip
import io
import json
import os
import struct

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import lstm_mnist
from lstm_mnist import data, drawing, evaluation, exercises, faster, files, inside
from lstm_mnist.checks import check_images, check_labels

settings.register_profile(
    "here",
    max_examples=300 if os.environ.get("LONG_TESTS") == "1" else 30,
    deadline=None,
    derandomize=True,  # the same examples in every run
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("here")

SIZES = st.integers(1, 6)
ANY_ARRAY = hnp.arrays(
    st.sampled_from([np.uint8, np.int64, np.float32, np.float64, np.bool_, np.complex64, "U3"]),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)


def labels_and_probabilities(num_classes=4):
    """Softmax probabilities ``[n, num_classes]`` and labels ``[n]``."""

    def build(n):
        logits = hnp.arrays(np.float64, (n, num_classes), elements=st.floats(-20, 20))
        labels = hnp.arrays(np.int64, n, elements=st.integers(0, num_classes - 1))
        return st.tuples(logits.map(lambda z: tf.nn.softmax(z).numpy()), labels)

    return st.integers(1, 40).flatmap(build)


# Whatever is handed over: taken, or refused with ValueError, never another error


@given(ANY_ARRAY)
def test_images_are_taken_or_refused(images):
    with contextlib.suppress(ValueError):
        check_images(images)
        assert images.ndim == 3
        assert images.dtype == np.uint8 or (images.min() + 1e-6 >= 0 and images.max() <= 1 + 1e-6)


@given(ANY_ARRAY, st.integers(0, 5))
def test_labels_are_taken_or_refused(labels, num_images):
    with contextlib.suppress(ValueError):
        check_labels(labels, num_images, 3)
        assert labels.shape == (num_images,)
        assert set(labels.tolist()) <= {0, 1, 2}


@given(ANY_ARRAY)
def test_drawings_are_taken_or_refused(ink):
    with contextlib.suppress(ValueError):
        assert drawing.to_mnist(ink).shape == (28, 28)


@given(ANY_ARRAY, ANY_ARRAY)
@pytest.mark.parametrize("measure", ["confusion_matrix", "accuracy_by_class", "calibration", "most_confident_mistakes"])
def test_measures_take_or_refuse(measure, probabilities, labels):
    with contextlib.suppress(ValueError):
        getattr(evaluation, measure)(probabilities, labels)


@given(st.sampled_from(list(exercises.EXERCISES)), st.one_of(ANY_ARRAY, st.text(), st.none(), st.lists(st.floats())))
def test_a_check_tells_about_any_answer(name, answer):
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exercises.check(name, answer)
        exercises.check(name, lambda *_: answer)
    assert len(told.getvalue().splitlines()) == 2


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_no_weights_no_picture_and_no_idx_file(tmp_path_factory, content, wrapped):
    path = tmp_path_factory.getbasetemp() / "any.gz"
    path.write_bytes(gzip.compress(content) if wrapped else content)
    for read in (
        lambda: files.read_npz(path, ["a"], "remedy"),
        lambda: data.read_idx(path, 3),
        lambda: drawing.read_picture(path),
    ):
        with pytest.raises(lstm_mnist.DataError, match=r"any\.gz"):
            read()


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_any_recipe_comes_back_or_is_not_kept(tmp_path_factory, recipe):
    path = tmp_path_factory.getbasetemp() / "any.npz"
    if not isinstance(recipe, dict):
        with pytest.raises(ValueError, match="recipe cannot be kept"):
            lstm_mnist.save_pretrained(MODEL, path, recipe)
        return
    lstm_mnist.save_pretrained(MODEL, path, recipe)
    assert json.dumps(lstm_mnist.pretrained_recipe(path)) == json.dumps(recipe)


MODEL = lstm_mnist.LSTMClassifier(2, 3, 4)


# Data


@given(st.integers(1, 30), st.integers(1, 70), st.integers(0, 20), st.integers(0, 3))
def test_batches_are_pieces_of_one_row_of_shuffled_epochs(size, batch_size, first, seed):
    split = lstm_mnist.Split(np.zeros((size, 1, 1), np.uint8), np.zeros(size, int))
    pieces = np.concatenate([split.batch_indices(n, batch_size, seed) for n in range(first + 1)])
    np.testing.assert_array_equal(pieces, split.batch_indices(0, batch_size * (first + 1), seed))
    for epoch in range(len(pieces) // size):
        np.testing.assert_array_equal(np.sort(pieces[epoch * size : (epoch + 1) * size]), np.arange(size))


@given(hnp.arrays(np.uint8, st.tuples(SIZES, SIZES, SIZES)), st.integers(1, 5))
def test_idx_files_come_back(tmp_path_factory, images, validation):
    folder = tmp_path_factory.getbasetemp()
    labels = np.arange(len(images), dtype=np.uint8)
    for part in ("train", "t10k"):
        for name, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (folder / f"{part}-{name}").write_bytes(header + array.tobytes())
    if validation >= len(images):
        with pytest.raises(ValueError, match="validation"):
            lstm_mnist.load_idx(folder, validation_size=validation)
        return
    train, held, test = lstm_mnist.load_idx(folder, validation_size=validation)
    np.testing.assert_array_equal(np.concatenate([held.images, train.images]), images)
    np.testing.assert_array_equal(np.concatenate([held.labels, train.labels]), labels)
    np.testing.assert_array_equal(test.images, images)


# The LSTM


@settings(max_examples=8)
@given(SIZES, SIZES, SIZES, SIZES, st.integers(0, 99))
def test_fast_plain_and_the_walk_agree(batch, steps, features, units, seed):
    rng = np.random.default_rng(seed)
    x = tf.constant(rng.random((batch, steps, features)))
    results = []
    for implementation in ("fast", "plain"):
        layer = lstm_mnist.LSTM(units, return_state=True, dtype="float64", implementation=implementation)
        layer.build(x.shape)
        rng_weights = np.random.default_rng(seed + 1)
        layer.set_weights([rng_weights.normal(size=weight.shape) for weight in layer.weights])
        results.append(layer(x)[1:])
    *_, c, h = inside.walk(layer, x)[-1]
    for ours in results:
        np.testing.assert_allclose(ours[0], h, atol=1e-12)
        np.testing.assert_allclose(ours[1], c, atol=1e-12)


@given(hnp.arrays(np.float32, (3, 4, 5), elements=st.floats(-1e6, 1e6, width=32)))
def test_h_stays_within_1_for_any_weights(x):
    random = np.random.default_rng(0)
    weights = [1e3 * random.normal(size=shape).astype(np.float32) for shape in ((5, 8), (2, 8), (8,))]
    state = 2 * [tf.zeros((3, 2))]
    _, h, c = faster.lstm(tf.constant(x), state, *map(tf.constant, weights))
    assert np.abs(h).max() <= 1
    assert np.abs(c).max() <= 4  # one at most is added a row


@given(labels_and_probabilities())
def test_loss_and_accuracy_are_those_by_hand(case):
    probabilities, labels = case
    loss, accuracy = lstm_mnist.loss_and_accuracy(labels, np.log(probabilities))
    by_hand = -np.log(probabilities[np.arange(len(labels)), labels]).mean()
    assert float(loss) == pytest.approx(by_hand, abs=1e-9)
    assert float(accuracy) == pytest.approx(np.mean(probabilities.argmax(axis=1) == labels))


# Evaluation


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_wilsons_interval_holds_the_share(total, share):
    correct = round(share * total)
    low, high = evaluation.wilson_interval(correct, total)
    assert 0 <= low <= correct / total + 1e-12
    assert correct / total - 1e-12 <= high <= 1


@given(labels_and_probabilities(), st.integers(1, 20))
def test_every_answer_is_counted_once(case, bins):
    probabilities, labels = case
    matrix = evaluation.confusion_matrix(probabilities, labels)
    right = probabilities.argmax(axis=1) == labels
    assert matrix.sum() == len(labels)
    assert np.trace(matrix) == right.sum()
    result = evaluation.calibration(probabilities, labels, bins)
    assert result.count.sum() == len(labels)
    assert np.nansum(result.accuracy * result.count) == pytest.approx(right.sum())
    assert 0 <= result.expected_error <= 1
    mistakes = evaluation.most_confident_mistakes(probabilities, labels, most=len(labels))
    assert set(mistakes) == set(np.flatnonzero(~right))
    assert (np.diff(probabilities[mistakes].max(axis=1)) <= 0).all()


# Inside


@given(hnp.arrays(np.float64, st.tuples(SIZES, st.integers(1, 9), st.just(3)), elements=st.floats(0, 1)))
def test_after_its_decision_row_the_answer_stays(beliefs):
    answers = beliefs.argmax(axis=2)
    for row, decided in zip(answers, inside.decision_rows(beliefs), strict=True):
        assert (row[decided - 1 :] == row[-1]).all()
        assert decided == 1 or row[decided - 2] != row[-1]


@given(hnp.arrays(np.uint8, st.tuples(SIZES, st.integers(1, 8), st.integers(1, 8))))
def test_row_properties_keep_their_ranges(images):
    properties = inside.row_properties(images)
    assert all(values.shape == images.shape[:2] for values in properties.values())
    assert (properties["ink"] >= 0).all()
    assert (properties["ink"] <= 1).all()
    assert (np.abs(properties["side"]) <= 1 + 1e-9).all()
    assert (properties["strokes"] <= (images.shape[2] + 1) // 2).all()
    assert (np.diff(properties["loop"], axis=1) >= 0).all()  # once closed, a loop stays closed


# Drawing


@given(
    hnp.arrays(
        np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 60)), elements=st.sampled_from([0, 0, 0, 90, 255])
    )
)
def test_any_ink_fills_the_box_and_lies_in_the_middle(ink):
    if not ink.any():
        with pytest.raises(ValueError, match="empty"):
            drawing.to_mnist(ink)
        return
    image = drawing.to_mnist(ink)
    for axis in (0, 1):
        ink_there = np.flatnonzero(image.any(axis=axis))
        assert np.ptp(ink_there) < 20
        mean = (image.sum(axis=axis, dtype=float) @ np.arange(28)) / image.sum()
        at_the_edge = ink_there[0] == 0 or ink_there[-1] == 27
        assert abs(mean - 14) <= 0.5 + 1e-9 or at_the_edge


@given(st.lists(st.lists(st.tuples(st.floats(-300, 600), st.floats(-300, 600)), min_size=1, max_size=5), max_size=4))
def test_any_strokes_can_be_drawn_and_more_ink_never_takes_ink_away(strokes):
    ink = drawing.rasterise(strokes)
    assert ink.shape == (280, 280)
    assert (drawing.rasterise(strokes[:-1]) <= ink).all()
