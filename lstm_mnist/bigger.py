"""The same training on several devices or machines: each takes its slice of a batch, all add up their gradients.

``share_out`` is the whole idea in a dozen lines; the rest starts worker processes, notices what goes wrong with them
and leaves nothing behind. A worker process runs ``work``.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from .bench import peak_memory
from .data import check_positive

LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)


class WorkerError(RuntimeError):
    """A worker that cannot start, does not come or was lost; the message names it and the remedy."""


# --- one step, shared out ----------------------------------------------------------------------------------------


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


# --- one worker of several -----------------------------------------------------------------------------------------


def worker_strategy(time_limit=60):
    """``MultiWorkerMirroredStrategy`` of the workers in ``TF_CONFIG``, once all of them have come.

    TensorFlow itself waits for an hour, deaf to Ctrl-C; here each worker first shows itself on its own port, and looks
    for the others on theirs. Raises ``ValueError`` for a malformed ``TF_CONFIG``, ``WorkerError`` for a port in use
    or a worker that is not there after ``time_limit`` seconds.
    """
    workers, index = read_tf_config()
    with _listening(workers[index]):
        _wait_for(workers, time_limit)
    return tf.distribute.MultiWorkerMirroredStrategy()


def read_tf_config():
    """The workers' addresses and this one's place among them, from the environment's ``TF_CONFIG``."""
    example = '{"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}'
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text)
        workers, task = config["cluster"]["worker"], config["task"]
        addresses = [(host, int(port)) for host, port in (worker.rsplit(":", 1) for worker in workers)]
        index = int(task["index"])
        if set(config["cluster"]) != {"worker"} or task["type"] != "worker":
            raise ValueError("all tasks have to be of type worker")
        if len(set(addresses)) < len(addresses):
            raise ValueError("an address occurs twice")
        if not 0 <= index < len(addresses):
            raise ValueError(f"task index {index} among {len(addresses)} workers")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"has no {error}" if isinstance(error, KeyError) else f"cannot be used ({error})"
        raise ValueError(f"TF_CONFIG {what}: it is {text!r}, expected {example}") from error
    return addresses, index


@contextlib.contextmanager
def _listening(address):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen()
        except OSError as error:
            raise WorkerError(
                f"{address[0]}:{address[1]} cannot be used ({error}): free it, or give this worker another in TF_CONFIG"
            ) from error
        yield


def _wait_for(workers, time_limit):
    missing, end = list(workers), time.monotonic() + time_limit
    while missing:
        host, port = missing[0]
        try:
            socket.create_connection((host, port), timeout=1).close()
            missing.pop(0)
        except OSError as error:
            if time.monotonic() > end:
                raise WorkerError(
                    f"worker {workers.index((host, port))} at {host}:{port} has not come within {time_limit:g} s "
                    f"({error}): start it with the same TF_CONFIG and its own task index"
                ) from None
            time.sleep(0.1)


# --- several workers on this machine ---------------------------------------------------------------------------


class Run(NamedTuple):
    """What ``run_workers`` brings back."""

    history: np.ndarray  # float32 [3, steps]: loss, accuracy, gradient norm, as in ``History``
    weights: list  # the final weights, as ``model.get_weights()``
    shares: list  # a dict a worker: images of a batch (from, to), steps, seconds, peak memory in MB


def run_workers(count=2, time_limit=600, **orders):
    """Train on ``count`` worker processes of this machine, talking over loopback; return their ``Run``.

    ``orders`` are those of ``Workers``. Ends all processes when one fails, at Ctrl-C, after ``time_limit`` seconds or
    with this process; with a ``checkpoint_folder``, a run that ended so goes on where it was. Raises ``WorkerError``
    with the failing worker's last words.
    """
    with Workers(count, **orders) as workers:
        return workers.wait(time_limit)


class Workers:
    """Worker processes that train as ordered, a context: however it is left, none of them is left behind.

    ``processes`` are the ``subprocess.Popen`` objects. They train ``LSTMClassifier(num_hidden)`` on MNIST by ``train``.
    """

    def __init__(
        self,
        count=2,
        steps=100,
        batch_size=128,
        seed=0,
        num_hidden=128,
        implementation="fast",
        checkpoint_folder=None,
        checkpoint_every=1000,
    ):
        check_positive("count", count)
        folder = checkpoint_folder and str(Path(checkpoint_folder).absolute())
        orders = {"num_hidden": num_hidden, "implementation": implementation, "seed": seed}
        orders["train"] = {"steps": steps, "batch_size": batch_size, "seed": seed, "print_every": 0}
        orders["train"] |= {"checkpoint_folder": folder, "checkpoint_every": checkpoint_every}
        self.folder = tempfile.TemporaryDirectory()
        self.processes, self.logs = [], []
        orders["folder"] = self.folder.name
        addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
        try:
            for n in range(count):
                config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": n}}
                self._start({"TF_CONFIG": json.dumps(config), "LSTM_MNIST_PROGRESS": "0"}, orders)
        except BaseException:
            self.stop()
            raise

    def _start(self, environment, orders):
        self.logs.append(tempfile.TemporaryFile("w+"))  # noqa: SIM115
        self.processes.append(
            subprocess.Popen(
                [sys.executable, "-c", "from lstm_mnist import bigger; bigger.work()", json.dumps(orders)],
                env=os.environ | environment,
                stdin=subprocess.PIPE,  # closes when this process ends, however it ends
                stdout=self.logs[-1],
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches this process alone
            )
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def wait(self, time_limit=600):
        """Their ``Run`` when all have ended well; raise ``WorkerError`` as soon as one has not."""
        end = time.monotonic() + time_limit
        while None in (codes := [process.poll() for process in self.processes]) and not any(codes):
            if time.monotonic() > end:
                raise WorkerError(f"the workers were not done after {time_limit:g} s: all of them were stopped")
            time.sleep(0.05)
        if any(codes):
            time.sleep(0.5)  # who fails first need not be the one to blame: others lose it
            raise WorkerError(self._last_words([process.poll() for process in self.processes]))
        folder = Path(self.folder.name)
        with np.load(folder / "result.npz") as result:
            history, *weights = (result[name] for name in result.files)
        shares = [json.loads((folder / f"share{n}.json").read_text()) for n in range(len(self.processes))]
        return Run(history, weights, shares)

    def _last_words(self, codes):
        for n, code in enumerate(codes):
            if code is not None and code < 0:
                return f"worker {n} was killed ({signal.Signals(-code).name}), the others were stopped"
        words = []
        for n, code in enumerate(codes):
            self.logs[n].seek(0)
            if code:
                words.append(f"worker {n}: {(self.logs[n].read().strip().splitlines() or ['no word'])[-1]}")
        return "all workers were stopped, for one failed; " + "; ".join(words)

    def stop(self):
        """End every process that has not ended, and wait until it has."""
        for process in self.processes:
            with contextlib.suppress(OSError):
                process.kill()
        for process in self.processes:
            process.communicate()
        for log in self.logs:
            log.close()
        self.folder.cleanup()


def free_ports(count):
    """Ports of loopback on which nobody listens now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]


# --- a worker's process --------------------------------------------------------------------------------------------


def _end_with_parent():
    """End this process when the one that holds its standard input ends."""

    def watch():
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _train_as_ordered(folder, seed, num_hidden, implementation, train):
    """The chief leaves ``result.npz`` in the folder, every worker what its share was."""
    import keras

    import lstm_mnist

    if hasattr(signal, "alarm"):
        signal.alarm(120)  # ends the process even while TensorFlow waits for the others
    strategy = worker_strategy()
    if hasattr(signal, "alarm"):
        signal.alarm(0)
    keras.utils.set_random_seed(seed)
    with strategy.scope():
        model = lstm_mnist.LSTMClassifier(num_hidden)
    model.lstm.implementation = implementation
    start = time.perf_counter()
    history = lstm_mnist.train(model, lstm_mnist.load_mnist().train, strategy=strategy, **train)
    n, size = strategy.cluster_resolver.task_id, train["batch_size"] // strategy.num_replicas_in_sync
    share = {"images": [n * size, (n + 1) * size], "steps": len(history.loss)}
    share |= {"seconds": time.perf_counter() - start, "peak_memory_mb": peak_memory()}
    (Path(folder) / f"share{n}.json").write_text(json.dumps(share))
    if is_chief(strategy):
        weights = {f"weight {k}": array for k, array in enumerate(model.get_weights())}
        np.savez(Path(folder) / "result.npz", history=np.stack(history), **weights)


def work():
    """The whole life of a worker process that ``Workers`` started."""
    _end_with_parent()
    status = 0
    try:
        _train_as_ordered(**json.loads(sys.argv[1]))
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        status = 1
    os._exit(status)  # TensorFlow would wait for lost workers before it ends
