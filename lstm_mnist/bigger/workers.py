"""Several worker processes on this machine: they train together, and none is left behind, whatever happens.

``run_workers`` starts them, watches them and brings back what they learnt; each of them runs ``work``.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from ..checkpoints import Checkpoints
from ..data import check_positive, load_mnist
from ..lstm import LSTMClassifier
from ..processes import Child, end_with_parent, peak_memory
from . import cluster
from .sharing import is_chief, train_shared


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

    ``processes`` are their ``subprocess.Popen`` objects. They train ``LSTMClassifier(num_hidden)`` on MNIST by
    ``train``.
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
        orders["settings"] = {"steps": steps, "batch_size": batch_size, "seed": seed}
        orders |= {"checkpoint_folder": folder, "checkpoint_every": checkpoint_every}
        self.folder = tempfile.TemporaryDirectory()
        self.children = []
        orders["folder"] = self.folder.name
        command = [sys.executable, "-c", "from lstm_mnist.bigger import workers; workers.work()", json.dumps(orders)]
        try:
            for config in cluster_configs(count):
                self.children.append(Child(command, {"TF_CONFIG": config, "LSTM_MNIST_PROGRESS": "0"}))
        except BaseException:
            self.stop()
            raise

    @property
    def processes(self):
        return [child.process for child in self.children]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def wait(self, time_limit=600):
        """Their ``Run`` when all have ended well; raise ``WorkerError`` as soon as one has not."""
        end = time.monotonic() + time_limit
        while None in (codes := [process.poll() for process in self.processes]) and not any(codes):
            if time.monotonic() > end:
                raise cluster.WorkerError(f"the workers were not done after {time_limit:g} s: all of them were stopped")
            time.sleep(0.05)
        if any(codes):
            time.sleep(0.5)  # who fails first need not be the one to blame: others lose it
            raise cluster.WorkerError(self._last_words([process.poll() for process in self.processes]))
        folder = Path(self.folder.name)
        with np.load(folder / "result.npz") as result:
            history, *weights = (result[name] for name in result.files)
        shares = [json.loads((folder / f"share{n}.json").read_text()) for n in range(len(self.processes))]
        return Run(history, weights, shares)

    def _last_words(self, codes):
        for n, code in enumerate(codes):
            if code is not None and code < 0:
                return f"worker {n} was killed ({signal.Signals(-code).name}), the others were stopped"
        words = [f"worker {n}: {self.children[n].last_word()}" for n, code in enumerate(codes) if code]
        return "all workers were stopped, for one failed; " + "; ".join(words)

    def stop(self):
        """End every process that has not ended, and wait until it has."""
        for child in self.children:
            child.process.kill()  # all at once, before any is waited for
        for child in self.children:
            child.stop()
        self.folder.cleanup()


def cluster_configs(count):
    """``TF_CONFIG`` of each of ``count`` workers on free ports of this machine."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
    return [
        json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": n}}) for n in range(count)
    ]


def free_ports(count):
    """Ports of loopback on which nobody listens now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]


# --- a worker's process --------------------------------------------------------------------------------------------


def _train_as_ordered(folder, seed, num_hidden, implementation, settings, checkpoint_folder, checkpoint_every):
    """The chief leaves ``result.npz`` in the folder, every worker what its share was."""
    if hasattr(signal, "alarm"):
        signal.alarm(600)  # ends the process even while TensorFlow waits for the others
    strategy = cluster.worker_strategy(time_limit=300)  # a busy machine takes minutes to import TensorFlow twice
    if hasattr(signal, "alarm"):
        signal.alarm(0)
    keras.utils.set_random_seed(seed)
    with strategy.scope():
        model = LSTMClassifier(num_hidden)
    model.lstm.implementation = implementation
    start = time.perf_counter()
    watchers = [Checkpoints(checkpoint_folder, checkpoint_every)] if checkpoint_folder else []
    history = train_shared(strategy, model, load_mnist().train, watchers=watchers, **settings)
    n, size = strategy.cluster_resolver.task_id, settings["batch_size"] // strategy.num_replicas_in_sync
    share = {"images": [n * size, (n + 1) * size], "steps": len(history.loss)}
    share |= {"seconds": time.perf_counter() - start, "peak_memory_mb": peak_memory()}
    (Path(folder) / f"share{n}.json").write_text(json.dumps(share))
    if is_chief(strategy):
        weights = {f"weight {k}": array for k, array in enumerate(model.get_weights())}
        np.savez(Path(folder) / "result.npz", history=np.stack(history), **weights)


def work():
    """The whole life of a worker process that ``Workers`` started."""
    end_with_parent()
    status = 0
    try:
        _train_as_ordered(**json.loads(sys.argv[1]))
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        status = 1
    os._exit(status)  # TensorFlow would wait for lost workers before it ends
