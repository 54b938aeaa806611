"""One training step shared out among devices or machines: each computes a slice of the batch, all are added up."""

import contextlib
import zlib

import numpy as np
import tensorflow as tf

from ..data import check_positive
from .cluster import LOST, WorkerError


def share_out(strategy, compute, variables):
    """``compute`` on a slice of the batch in each replica of ``strategy``, the results added up in one message.

    ``compute(images, labels)`` gives ``(gradients, loss, accuracy)``, means over its batch. So does the function
    returned, for the whole batch and outside the replicas: an optimizer that is applied to its gradients, clips them
    by their norm or counts its steps does so once, with the numbers of a single device.
    """
    replicas = strategy.num_replicas_in_sync
    shapes = [variable.shape for variable in variables]
    sizes = [int(np.prod(shape)) for shape in shapes]

    def message(images, labels):
        n = tf.distribute.get_replica_context().replica_id_in_sync_group
        size = labels.shape[0] // replicas
        mine = slice(n * size, (n + 1) * size)
        gradients, loss, accuracy = compute(images[mine], labels[mine])
        values = [tf.reshape(value, [-1]) for value in (*gradients, loss, accuracy)]
        return tf.concat(values, axis=0) / replicas

    def shared(images, labels):
        total = strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(message, (images, labels)), axis=None)
        *gradients, loss, accuracy = tf.split(total, [*sizes, 1, 1])
        gradients = [tf.reshape(value, shape) for value, shape in zip(gradients, shapes, strict=True)]
        return gradients, loss[0], accuracy[0]

    return shared


def message_bytes(model):
    """What each replica adds to the sum at every step: the gradient, loss and accuracy in float32."""
    return 4 * (model.count_params() + 2)


def scope(strategy, model, optimizer, batch_size):
    """The context in which to make the rest of the optimizer; of no effect for ``strategy`` None.

    Raises ``ValueError`` for a strategy, model, optimizer or batch that cannot be shared out.
    """
    if strategy is None:
        return contextlib.nullcontext()
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
    return strategy.scope()


def is_chief(strategy):
    """Whether this process writes the files: without other workers, or as worker 0."""
    resolver = strategy and strategy.cluster_resolver
    return not resolver or not resolver.task_id


def check_agreement(strategy, **values):
    """Raise ``ValueError`` where workers differ in one of ``values`` (numbers, or lists of arrays)."""
    if not strategy.cluster_resolver:
        return
    numbers = [value if isinstance(value, int) else _checksum(value) for value in values.values()]

    @tf.function
    def add_up(mine):
        return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(tf.identity, (mine,)), axis=None)

    with lost_workers_named(None):
        totals = add_up(tf.constant(numbers, tf.int64)).numpy()
    for name, number, total in zip(values, numbers, totals, strict=True):
        if total != number * strategy.num_replicas_in_sync:
            raise ValueError(f"the workers differ in {name}: give all the same arguments, random seed and checkpoints")


def _checksum(arrays):
    return zlib.crc32(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays))


@contextlib.contextmanager
def lost_workers_named(folder):
    """Turn TensorFlow's errors about a peer that is gone into a ``WorkerError``."""
    try:
        yield
    except LOST as error:
        remedy = f"the run goes on from the last checkpoint in {folder}" if folder else "the run begins anew"
        raise WorkerError(f"another worker was lost in mid-training: start all of them again, {remedy}") from error


def logical_cpus(count=2):
    """Names of ``count`` devices that the first CPU is cut into, to try a strategy without several GPUs.

    Raises ``RuntimeError`` after TensorFlow's first operation: devices cannot be changed any more then.
    """
    check_positive("count", count)
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    except RuntimeError as error:
        raise RuntimeError("TensorFlow has its devices already: call logical_cpus first of all") from error
    return [f"CPU:{k}" for k in range(count)]
