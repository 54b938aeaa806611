"""One training step shared out among devices or machines: each computes a slice of the batch, all are added up."""

import zlib

import keras
import numpy as np
import tensorflow as tf

from ..checkpoints import Checkpoints, describe, settings_of
from ..checks import check_positive
from ..training import compute_gradients, train
from ..watchers import Printing, ProgressBar, Watcher
from .cluster import LOST, WorkerError


def train_shared(
    strategy, model, split, steps=5000, batch_size=128, seed=0, optimizer=None, compute=None, watchers=None
):
    """``train``, each step shared out among the devices or machines of ``strategy``: the same weights up to rounding.

    The model, and a given optimizer, are made in the strategy's scope. ``compute`` is ``share_out(strategy)``, or what
    goes round it: ``on_changed(change, share_out(strategy))``. Worker 0 alone prints and writes; all read its
    checkpoints. Raises ``ValueError`` for what cannot be shared out, ``WorkerError`` where another worker is lost.
    """
    check_scope(strategy, model, optimizer, batch_size)
    watchers = [Printing(), ProgressBar()] if watchers is None else list(watchers)
    if not is_chief(strategy):
        watchers = [without_output(watcher) for watcher in watchers]
    with strategy.scope():
        if optimizer is None:
            optimizer = keras.optimizers.Adam(learning_rate=0.001)
        optimizer.build(model.trainable_variables)
    if compute is None:
        compute = share_out(strategy)
    try:
        return train(model, split, steps, batch_size, seed, optimizer, compute, [*watchers, Agreement(strategy)])
    except LOST as error:
        raise WorkerError(
            "another worker was lost in mid-training: start all of them again; the run goes on from its last "
            "checkpoint, or begins anew without Checkpoints"
        ) from error


def without_output(watcher):
    """What has the place of ``watcher`` on the other workers: the same stops, since all must call alike."""
    silent = Watcher(watcher.every)
    silent.next_stop = watcher.next_stop
    if isinstance(watcher, Checkpoints):
        silent.begin = watcher.read
    return silent


def share_out(strategy, compute=compute_gradients):
    """``compute`` on a slice of the batch in each replica of ``strategy``, the results added up in one message.

    The gradients, loss and accuracy of ``compute`` are means over its slice. What the function returned gives are
    means over the whole batch, outside the replicas: an optimizer that is applied to its gradients, clips them by
    their norm or counts its steps does so once, with the numbers of a single device.
    """
    replicas = strategy.num_replicas_in_sync

    def shared(model, images, labels, n):
        def message(images, labels):
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            size = labels.shape[0] // replicas
            mine = slice(replica * size, (replica + 1) * size)
            gradients, loss, accuracy = compute(model, images[mine], labels[mine], n)
            values = [tf.reshape(value, [-1]) for value in (*gradients, loss, accuracy)]
            return tf.concat(values, axis=0) / replicas

        total = strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(message, (images, labels)), axis=None)
        shapes = [variable.shape for variable in model.trainable_variables]
        *gradients, loss, accuracy = tf.split(total, [*(int(np.prod(shape)) for shape in shapes), 1, 1])
        gradients = [tf.reshape(value, shape) for value, shape in zip(gradients, shapes, strict=True)]
        return gradients, loss[0], accuracy[0]

    return shared


def message_bytes(model):
    """What each replica adds to the sum at every step: the gradient, loss and accuracy in float32."""
    return 4 * (sum(int(np.prod(variable.shape)) for variable in model.trainable_variables) + 2)


def check_scope(strategy, model, optimizer, batch_size):
    """Raise ``ValueError`` for a strategy, model, optimizer or batch that cannot be shared out."""
    kinds = (tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy)
    if not isinstance(strategy, kinds):
        raise ValueError(
            f"strategy is {type(strategy).__name__}: use tf.distribute.MirroredStrategy for the devices of one machine "
            "or tf.distribute.MultiWorkerMirroredStrategy for several machines"
        )
    for name, thing in (("model", model.weights), ("optimizer", optimizer.variables if optimizer else [])):
        if any(getattr(v.value, "distribute_strategy", None) is not strategy for v in thing):
            raise ValueError(f"the {name} was made outside this strategy: make it inside `with strategy.scope():`")
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise ValueError(f"batch_size is {batch_size}: choose a multiple of {replicas}, the number of replicas")


def is_chief(strategy):
    """Whether this process writes the files: without other workers, or as worker 0."""
    resolver = strategy.cluster_resolver
    return not resolver or not resolver.task_id


class Agreement(Watcher):
    """Raises ``ValueError`` at the begin of a run in which the workers of ``strategy`` are not at one."""

    def __init__(self, strategy):
        super().__init__(every=1000)
        self.strategy = strategy

    def begin(self, run):
        if not self.strategy.cluster_resolver:
            return
        numbers = numbers_of(run)
        everybodys = self.strategy.run(tf.constant, (list(numbers.values()), tf.int64))
        totals = self.strategy.reduce(tf.distribute.ReduceOp.SUM, everybodys, axis=None).numpy()
        for (name, number), total in zip(numbers.items(), totals, strict=True):
            if total != number * self.strategy.num_replicas_in_sync:
                raise ValueError(f"the workers differ in {name}: give all the same arguments, seeds and checkpoints")


def numbers_of(run):
    """A number for each thing in which workers have to be at one, by its name."""
    things = {"steps": run.steps, "checkpoint": run.done, "weights": run.model.get_weights()} | settings_of(run)
    return {name: zlib.crc32(repr(describe(thing)).encode()) for name, thing in things.items()}


def logical_cpus(count=2):
    """Names of ``count`` devices that the first CPU is cut into, to try a strategy without several GPUs.

    Raises ``RuntimeError`` after TensorFlow's first operation: devices cannot be changed any more then; ``ValueError``
    for no such ``count``.
    """
    count = check_positive("count", count)
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    except RuntimeError as error:
        raise RuntimeError("TensorFlow has its devices already: call logical_cpus first of all") from error
    return [f"CPU:{k}" for k in range(count)]
