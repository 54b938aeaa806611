"""The training loop of notebook 03: batch after batch, and after each a small step of all weights.

``take_steps_watched`` deals the batches to the function that ``make_train_steps`` records; that takes a step with each.
``train`` checks what it is given and calls ``take_steps_watched``.
"""

import gc
from dataclasses import dataclass, field
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from .checks import check_function, check_labels, check_positive, check_seed
from .data import Split
from .watchers import Printing, ProgressBar, Watcher

STEPS_PER_CALL = 50


class History(NamedTuple):
    """What each step saw before its update: float32 arrays ``[steps]``, entry 0 is step 1."""

    loss: np.ndarray  # mean cross-entropy of the batch, in nats
    accuracy: np.ndarray  # share of the batch answered correctly
    gradient_norm: np.ndarray  # Euclidean norm over all weights together


@dataclass
class Run:
    """A training under way: what ``train`` was given, and how far it is. This is what a watcher looks at."""

    model: keras.Model
    split: Split
    steps: int
    batch_size: int
    seed: int
    optimizer: keras.optimizers.Optimizer
    compute: object
    done: int = 0  # steps taken
    measured: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.float32))  # [done, 3], as in ``History``
    last_batch: tuple = ()  # images and labels of the last step

    def measure_last_batch(self):
        """Loss and accuracy of the batch just trained on, by the weights as they are now."""
        images, labels = self.last_batch
        loss, accuracy = loss_and_accuracy(labels, self.model(images))
        return float(loss), float(accuracy)


def loss_and_accuracy(labels, logits):
    """Mean softmax cross-entropy in nats, and the share of correct answers, of one batch.

    ``labels`` is ``[batch]``, ``logits`` ``[batch, num_classes]``. Logits after every row, ``[batch, rows,
    num_classes]``, give the mean loss over all rows; the answer is the one after the last row.
    """
    if tf.executing_eagerly():  # while a graph is recorded, there are no values to check
        check_labels(labels, len(logits), logits.shape[-1])
    labels = tf.cast(labels, tf.int64)
    wanted, answers = labels, logits
    if len(logits.shape) == 3:  # after every row (notebook 05): each row wants the label, the last one answers
        wanted, answers = tf.repeat(labels[:, None], tf.shape(logits)[1], axis=1), logits[:, -1]
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, logits)
    correct = tf.argmax(answers, 1) == labels
    return tf.reduce_mean(loss), tf.reduce_mean(tf.cast(correct, logits.dtype))


@tf.autograph.experimental.do_not_convert  # nothing in it to convert, and looking takes tenths of a second
def compute_gradients(model, images, labels, n):
    """Forward and backward pass of step ``n`` = 0, 1, …: the gradients of all trainable weights, loss and accuracy.

    ``n`` is not used here; a function that takes this one's place may need it. ``training=True`` switches dropout on.
    """
    with tf.GradientTape() as tape:
        logits = model(images, training=True)
        loss, accuracy = loss_and_accuracy(labels, logits)
    gradients = tape.gradient(loss, model.trainable_variables)
    return gradients, loss, accuracy


def make_train_steps(model, optimizer, batch_shape, compute=compute_gradients):
    """The body of the loop, recorded as a graph: it takes one step a batch. ``compute`` is that of ``train``.

    Maps uint8 images ``[batches, *batch_shape]`` and labels ``[batches, batch]``, any number of batches, to float32
    ``[batches, 3]``: each step's loss, accuracy and gradient norm, before its update.
    """

    @tf.function
    def train_steps(images, labels):
        batches = tf.shape(images)[0]
        measured = tf.TensorArray(tf.float32, size=batches)  # a list that a graph can fill
        for k in tf.range(batches):
            n = tf.convert_to_tensor(optimizer.iterations)  # steps since the start; k is its place in this call
            computed = compute(model, images[k], labels[k], n)
            gradients, loss, accuracy = check_computed(computed, model.trainable_variables)
            update(optimizer, gradients, model.trainable_variables)
            norm = tf.linalg.global_norm(gradients)
            seen = [tf.cast(value, tf.float32) for value in (loss, accuracy, norm)]
            measured = measured.write(k, tf.stack(seen))
        return measured.stack()

    return train_steps.get_concrete_function(
        tf.TensorSpec([None, *batch_shape], tf.uint8), tf.TensorSpec([None, batch_shape[0]], tf.uint8)
    )


def take_steps_watched(run, watchers):
    """All steps that ``run`` still lacks, up to ``STEPS_PER_CALL`` of them in one call of the compiled loop."""
    try:
        for watcher in watchers:
            watcher.begin(run)
        shape = [run.batch_size, *run.split.shape]
        train_steps = make_train_steps(run.model, run.optimizer, shape, run.compute)
        while run.done < run.steps:
            # a call ends at the last step, after 50 steps or where a watcher wants to look: whichever comes first
            stops = {watcher: min(run.steps, watcher.next_stop(run.done)) for watcher in watchers}
            stop = min([run.steps, run.done + STEPS_PER_CALL, *stops.values()])
            images, labels = run.split.batches(run.done, stop, run.batch_size, run.seed)
            measured = train_steps(tf.constant(images), tf.constant(labels)).numpy()
            run.measured = np.concatenate([run.measured, measured])
            run.done, run.last_batch = stop, (images[-1], labels[-1])
            for watcher in watchers:
                if stops[watcher] == stop:
                    watcher.look(run)
    finally:
        for watcher in watchers:
            watcher.end(run)


def update(optimizer, gradients, variables):
    """Let the optimizer move the weights: ``optimizer.apply_gradients``, as in the notebook.

    Keras would add the gradients of several devices up first, even of one, and what that records keeps the graph in
    memory. ``merge_call`` goes past it: in the place where devices meet, nothing is left to add.
    """
    pairs = zip(gradients, variables, strict=True)
    tf.distribute.get_replica_context().merge_call(lambda _: optimizer.apply_gradients(pairs))


def train(model, split, steps=5000, batch_size=128, seed=0, optimizer=None, compute=compute_gradients, watchers=None):
    """Train ``model`` for exactly ``steps`` updates on batches 0, 1, … of ``split``; return their ``History``.

    ``optimizer`` is a fresh Keras optimizer, by default Adam at 0.001 as in 2019 (Kingma and Ba 2015). ``compute``
    takes the place of ``compute_gradients``: another loss, or images changed first. ``watchers`` look on, by default
    ``[Printing(), ProgressBar()]``; ``()`` is silent, and ``Checkpoints(folder)`` lets a run that was cut off go on to
    the same weights, bit for bit; without it each call begins at batch 0. Raises ``TypeError`` or ``ValueError`` for
    arguments that cannot be trained with, before any work, and for what ``compute`` gives back, before the first step;
    each watcher names its own errors.
    """
    steps, batch_size, seed = check_positive("steps", steps), check_positive("batch_size", batch_size), check_seed(seed)
    check_arguments(model, split, optimizer, compute, watchers)
    if optimizer is None:
        optimizer = keras.optimizers.Adam(learning_rate=0.001)
    optimizer.build(model.trainable_variables)
    run = Run(model, split, steps, batch_size, seed, optimizer, compute)
    take_steps_watched(run, [Printing(), ProgressBar()] if watchers is None else watchers)
    optimizer.finalize_variable_values(model.trainable_variables)
    gc.collect()  # a graph is a circle of references: without this it stays for minutes
    return History(*run.measured.T)


def check_arguments(model, split, optimizer, compute, watchers):
    """Raise ``TypeError`` or ``ValueError``, with the remedy, for what ``train`` cannot work with."""
    check_function("compute", compute)
    if not isinstance(watchers, list | tuple | None) or not all(isinstance(one, Watcher) for one in watchers or ()):
        raise TypeError(f"watchers are {watchers!r}: give a list of them, such as [lstm_mnist.Printing()]")
    if not tf.executing_eagerly():
        raise ValueError("eager execution is switched off: take tf.compat.v1.disable_eager_execution() out")
    if tf.distribute.has_strategy():
        raise ValueError(
            "train is called in a strategy's scope: call lstm_mnist.bigger.sharing.train_shared outside it"
        )
    if not hasattr(split, "batches"):
        raise TypeError(
            f"split is a {type(split).__name__}: give lstm_mnist.load_mnist().train, "
            "or lstm_mnist.Split(images, labels) of your own images"
        )
    if not hasattr(model, "check"):
        raise TypeError(
            f"model is a {type(model).__name__}: give an lstm_mnist.LSTMClassifier; other Keras models train with fit"
        )
    if model.losses:
        raise ValueError(
            "the model has losses of its own, a regularizer's perhaps, which this loop leaves out: use fit"
        )
    if not model.trainable_variables:
        raise ValueError("the model has no weights to train: set trainable = True for some of its layers")
    model.check(np.zeros((1, *split.shape), np.uint8), [split.largest_label])
    if optimizer is None:
        return
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise TypeError(f"optimizer is {optimizer!r}: give a Keras optimizer, such as keras.optimizers.Adam(0.001)")
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        raise TypeError("optimizer is a LossScaleOptimizer, and this loop scales no loss: give the inner optimizer")
    if optimizer.built and optimizer.iterations.numpy() > 0:
        raise ValueError(f"optimizer has taken {optimizer.iterations.numpy()} steps already: give a fresh one")
    ours = [id(variable) for variable in model.trainable_variables]
    if optimizer.built and [id(variable) for variable in optimizer._trainable_variables] != ours:
        raise ValueError(
            f"optimizer {optimizer.name!r} was built for other weights than this model's: give a fresh one"
        )


@tf.autograph.experimental.do_not_convert
def check_computed(computed, variables):
    """What ``compute`` gave; ``ValueError`` unless that is a gradient of each variable's shape, and two numbers."""
    wanted = [*(variable.shape for variable in variables), (), ()]
    values = tf.nest.flatten(computed)
    given = [tf.TensorShape(getattr(value, "shape", ())) for value in values]  # a plain number has no shape
    is_triple = isinstance(computed, list | tuple) and len(computed) == 3
    if is_triple and len(given) == len(wanted) and all(map(tf.TensorShape.is_compatible_with, given, wanted)):
        return computed
    shown = ", ".join(str(getattr(value, "shape", value)) for value in values)
    error = ValueError(
        f"compute returns {shown}: return gradients, loss, accuracy, with a gradient of each trainable weight's "
        f"shape ({', '.join(map(str, wanted[:-2]))}), and loss and accuracy are a number each"
    )
    error.ag_pass_through = True  # or AutoGraph hides the message behind a page of code
    raise error
