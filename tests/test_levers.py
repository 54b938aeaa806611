import keras
import numpy as np
import pytest
import tensorflow as tf

import lstm_mnist
from lstm_mnist.better import levers
from lstm_mnist.inside import EveryRowClassifier
from lstm_mnist.training import compute_gradients

IMAGES = tf.constant(np.random.default_rng(0).integers(0, 256, [6, 5, 4]), tf.uint8)
LABELS = tf.constant([0, 1, 2, 2, 1, 0], tf.uint8)


def small(kind=lstm_mnist.LSTMClassifier, seed=0):
    keras.utils.set_random_seed(seed)
    return kind(num_hidden=3, num_classes=3, num_features=4)


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def loss_of(compute, model):
    _, loss, _ = compute(model, IMAGES, LABELS, 0)
    return loss.numpy()


def test_smoothing_wants_the_label_less_and_every_digit_a_little():
    model = small()
    logs = log_softmax(model(IMAGES).numpy())
    wanted = np.full((6, 3), 0.3 / 3)
    wanted[range(6), LABELS] += 0.7
    assert loss_of(levers.smoothed(0.3), model) == pytest.approx(-(wanted * logs).sum(axis=1).mean(), rel=1e-6)
    assert loss_of(levers.smoothed(0), model) == pytest.approx(loss_of(compute_gradients, model), rel=1e-6)


def test_every_row_helps_and_the_last_one_counts_twice():
    model = small(EveryRowClassifier)
    logs = log_softmax(model(IMAGES, training=True).numpy())
    each_row = -logs[np.arange(6)[:, None], np.arange(5), LABELS.numpy()[:, None]].mean(axis=0)
    expected = each_row[-1] + each_row.mean()
    assert loss_of(levers.helped_by_every_row(), model) == pytest.approx(expected, rel=1e-6)


def test_a_pupil_asks_the_label_and_its_teacher():
    model, teacher = small(), small(seed=1)
    logits, wanted = model(IMAGES).numpy(), np.exp(log_softmax(teacher(IMAGES).numpy() / 3))
    by_label = -log_softmax(logits)[range(6), LABELS].mean()
    by_teacher = -(wanted * log_softmax(logits / 3)).sum(axis=1).mean()
    loss = loss_of(levers.taught(teacher, temperature=3.0), model)
    assert loss == pytest.approx((by_label + 9 * by_teacher) / 2, rel=1e-6)


def test_what_is_taught_is_the_pupil_alone():
    model, teacher = small(), small(seed=1)
    gradients, _, _ = levers.taught(teacher)(model, IMAGES, LABELS, 0)
    assert [gradient.shape for gradient in gradients] == [variable.shape for variable in model.trainable_variables]
    before = [weights.copy() for weights in teacher.get_weights()]
    split = lstm_mnist.Split(IMAGES.numpy(), LABELS.numpy())
    lstm_mnist.train(model, split, 2, 3, compute=levers.taught(teacher), watchers=())
    for old, new in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(("n", "count"), [(0, 2), (9, 2), (10, 6), (11, 6)])
def test_few_images_at_first_and_all_later(n, count):
    model = small()
    ours = levers.fewer_at_first(2, until=10)(model, IMAGES, LABELS, tf.constant(n, tf.int64))
    expected = compute_gradients(model, IMAGES[:count], LABELS[:count], n)
    for one, other in zip(tf.nest.flatten(ours), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)


def test_the_gradients_are_those_of_the_loss():
    """Finite differences in float64, one weight of each kind."""
    keras.utils.set_random_seed(0)
    model = lstm_mnist.LSTMClassifier(3, 3, 4, dtype="float64")
    compute = levers.smoothed(0.3)
    gradients, _, _ = compute(model, IMAGES, LABELS, 0)
    for gradient, variable in zip(gradients, model.trainable_variables, strict=True):
        losses = []
        for nudge in (1e-5, -1e-5):
            changed = variable.numpy()
            changed.flat[1] += nudge
            kept = variable.numpy()
            variable.assign(changed)
            losses.append(loss_of(compute, model))
            variable.assign(kept)
        assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(gradient.numpy().flat[1], rel=1e-5)


def test_muon_of_gates_moves_each_gate_as_muon_moves_a_matrix_of_its_own():
    rng, how = np.random.default_rng(0), {"learning_rate": 0.1, "rms_rate": None, "weight_decay": None}
    start, gradients = rng.normal(size=(6, 20)).astype(np.float32), rng.normal(size=(2, 6, 20)).astype(np.float32)
    whole, parts = keras.Variable(start), [keras.Variable(part) for part in np.split(start, 4, axis=1)]
    ours, theirs = levers.GateMuon(**how), keras.optimizers.Muon(**how)
    for gradient in gradients:
        ours.apply([tf.constant(gradient)], [whole])
        theirs.apply([tf.constant(part) for part in np.split(gradient, 4, axis=1)], parts)
    np.testing.assert_allclose(whole, np.hstack([part.numpy() for part in parts]), atol=1e-6)


def test_a_step_of_muon_is_nearly_orthogonal_in_every_gate():
    step = np.random.default_rng(1).normal(size=(8, 32)) @ np.diag(np.logspace(-2, 0, 32))
    moved = levers.GateMuon().zeropower_via_newtonschulz5(tf.constant(step, tf.float32), 5)
    for gate in np.split(moved.numpy(), 4, axis=1):
        assert np.linalg.svd(gate, compute_uv=False) == pytest.approx(1, abs=0.4)


def test_muon_of_gates_is_kept_and_read_back_as_what_it_is():
    kept = keras.saving.serialize_keras_object(levers.GateMuon(momentum=0.9, exclude_layers=["/kernel"]))
    again = keras.saving.deserialize_keras_object(kept)
    assert isinstance(again, levers.GateMuon)
    assert (again.momentum, again.exclude_layers) == (0.9, ["/kernel"])
