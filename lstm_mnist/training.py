"""The 2019 recipe's training loop: many steps a call, each step's own numbers, checkpoints that resume exactly."""

import gc
import importlib.util
import os
import sys
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from .bigger import sharing
from .checkpoints import Checkpoints
from .data import check_labels, check_positive

STEPS_PER_CALL = 50


class History(NamedTuple):
    """What each step saw before its update: float32 arrays ``[steps]``, entry 0 is step 1."""

    loss: np.ndarray  # mean cross-entropy of the batch, in nats
    accuracy: np.ndarray  # share of the batch answered correctly
    gradient_norm: np.ndarray  # Euclidean norm over all weights together


def loss_and_accuracy(labels, logits):
    """Mean softmax cross-entropy in nats, and the share of correct answers, of one batch."""
    labels = tf.cast(labels, tf.int64)
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    correct = tf.argmax(logits, 1) == labels
    return tf.reduce_mean(loss), tf.reduce_mean(tf.cast(correct, logits.dtype))


def train(
    model,
    split,
    steps=5000,
    batch_size=128,
    seed=0,
    optimizer=None,
    print_every=1000,
    checkpoint_folder=None,
    checkpoint_every=1000,
    tensorboard_folder=None,
    progress=None,
    augment=None,
    strategy=None,
):
    """Train ``model`` for exactly ``steps`` updates on batches 0, 1, … of ``split``; return their ``History``.

    ``optimizer`` is a fresh Keras optimizer, by default Adam at 0.001 as in 2019 (Kingma and Ba 2015). At step 1 and
    every ``print_every`` (0 for never) it prints loss and accuracy of the batch just trained on, after the update. With
    ``checkpoint_folder``, model, optimizer, step and history are kept every ``checkpoint_every`` steps, and a run that
    was cut off goes on from there to the same weights, bit for bit. ``tensorboard_folder`` gets each step's numbers
    for TensorBoard. ``progress`` shows a bar, by default unless the environment says ``LSTM_MNIST_PROGRESS=0``.
    ``augment(images, n)`` turns batch ``n``'s uint8 images into those the model learns from, inside the graph. An
    optimizer with ``use_ema`` leaves the average of the weights in the model. With ``strategy``, in whose scope the
    model (and a given optimizer) were made, each of its devices or machines computes its slice of every batch, and
    worker 0 alone writes the folders. Raises ``ValueError`` for impossible arguments or a folder of another run,
    ``DataError`` for a damaged checkpoint, ``OSError`` where one cannot be written, ``ImportError`` where TensorBoard
    is missing, ``WorkerError`` where another worker is lost.
    """
    for name, value in (("steps", steps), ("batch_size", batch_size), ("checkpoint_every", checkpoint_every)):
        check_positive(name, value)
    model.check(split.images[:1])
    check_labels(split.labels, len(split), model.num_classes)
    with sharing.scope(strategy, model, optimizer, batch_size):
        if optimizer is None:
            optimizer = keras.optimizers.Adam(learning_rate=0.001)
        optimizer.build(model.trainable_variables)
    chief = sharing.is_chief(strategy)
    writer = _summary_writer(tensorboard_folder) if tensorboard_folder and chief else None
    run = None
    if checkpoint_folder:
        run = Checkpoints(checkpoint_folder, model, optimizer, split, batch_size, seed, chief)
    done, history = run.restore() if run else (0, [])
    if strategy is not None:
        data = [split.batch_indices(done, batch_size, seed), split.images[:1000], split.labels[:1000]]
        sharing.check_agreement(strategy, steps=steps, checkpoint=done, weights=model.get_weights(), data=data)
    if done > steps:
        raise ValueError(f"{checkpoint_folder} is already at step {done}: ask for more than steps={steps}")

    if progress is None:
        progress = os.environ.get("LSTM_MNIST_PROGRESS", "1") != "0"
    train_steps = make_train_steps(model, optimizer, [batch_size, *split.images.shape[1:]], augment, strategy)
    with (
        sharing.lost_workers_named(checkpoint_folder),
        tqdm(total=steps, initial=done, unit="step", leave=False, file=sys.stdout, disable=not progress) as bar,
    ):
        while done < steps:
            stops = [steps, done + STEPS_PER_CALL, _next_multiple(checkpoint_every, done)]
            if print_every:
                stops.append(_next_multiple(print_every, done) if done else 1)
            end = min(stops)
            indices = np.stack([split.batch_indices(n, batch_size, seed) for n in range(done, end)])
            images, labels = split.images[indices], split.labels[indices]
            history.append(train_steps(tf.constant(images), tf.constant(labels)).numpy())
            if writer:
                _write_summaries(writer, history[-1], first_step=done + 1)
            bar.update(end - done)
            done = end
            if print_every and (done == 1 or done % print_every == 0):
                loss, accuracy = (float(v) for v in loss_and_accuracy(labels[-1], model(images[-1])))
                tqdm.write(f"Step {done}, Loss= {loss:.4f}, Training Accuracy= {accuracy:.3f}")
            if run and chief and (done % checkpoint_every == 0 or done == steps):
                run.save(done, np.concatenate(history))
    if print_every:
        tqdm.write("Optimization Finished!")
    optimizer.finalize_variable_values(model.trainable_variables)
    del train_steps
    gc.collect()  # a graph is a circle of references: without this it stays for minutes
    return History(*np.concatenate(history).T)


def make_train_steps(model, optimizer, batch_shape, augment=None, strategy=None):
    """A compiled function that takes one step a batch; ``augment`` and ``strategy`` are those of ``train``.

    Maps uint8 images ``[k, *batch_shape]`` and labels ``[k, batch]``, for any ``k``, to float32 ``[k, 3]``: each
    step's loss, accuracy and gradient norm, before its update.
    """
    signature = (
        tf.TensorSpec([None, *batch_shape], tf.uint8),
        tf.TensorSpec([None, *batch_shape[:1]], tf.uint8),
    )

    def compute(images, labels):
        with tf.GradientTape() as tape:
            loss, accuracy = loss_and_accuracy(labels, model(images, training=True))
        return tape.gradient(loss, model.trainable_variables), loss, accuracy

    if strategy is not None:
        compute = sharing.share_out(strategy, compute, model.trainable_variables)

    @tf.function
    def train_steps(images, labels):
        steps = tf.shape(images)[0]
        measured = tf.TensorArray(tf.float32, size=steps)
        for k in tf.range(steps):
            seen = augment(images[k], tf.convert_to_tensor(optimizer.iterations)) if augment else images[k]
            gradients, loss, accuracy = compute(seen, labels[k])
            _update(optimizer, gradients, model.trainable_variables)
            norm = tf.linalg.global_norm(gradients)
            measured = measured.write(k, tf.stack([tf.cast(v, tf.float32) for v in (loss, accuracy, norm)]))
        return measured.stack()

    return train_steps.get_concrete_function(*signature)


def _update(optimizer, gradients, variables):
    """Keras's ``apply_gradients``; on one device without its sum over devices, which would hold the graph for good."""
    pairs = zip(gradients, variables, strict=True)
    if tf.distribute.has_strategy():
        optimizer.apply_gradients(pairs)
    else:
        tf.distribute.get_replica_context().merge_call(lambda _: optimizer.apply_gradients(pairs))


def _summary_writer(folder):
    if not importlib.util.find_spec("tensorboard"):
        raise ImportError(
            "tensorboard_folder needs TensorBoard, which TensorFlow does not bring: "
            "pip install 'lstm-mnist[tensorboard]'"
        )
    return tf.summary.create_file_writer(str(folder))


def _write_summaries(writer, measured, first_step):
    with writer.as_default():
        for step, values in enumerate(measured, first_step):
            for name, value in zip(History._fields, values, strict=True):
                tf.summary.scalar(name, value, step)
    writer.flush()


def _next_multiple(every, done):
    return (done // every + 1) * every
