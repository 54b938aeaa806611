"""Several worker processes on this machine: they train together, and none is left behind, whatever happens.

``run_workers`` starts them, watches them and brings back what they learnt; each of them runs ``work``.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import NamedTuple

import keras
import numpy as np

from ..checkpoints import Checkpoints
from ..checks import check_number, check_path, check_positive, check_seed, check_whole
from ..data import load_mnist
from ..lstm import LSTMClassifier
from ..processes import Child, end_with_parent, peak_memory
from . import cluster
from .sharing import is_chief, train_shared

MOST_WORKERS = 100  # on one machine


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
        if implementation not in ("fast", "plain"):
            raise ValueError(f"implementation is {implementation!r}: use 'fast' or 'plain'")
        count = check_whole("count", count, 1, MOST_WORKERS)
        orders = {
            "num_hidden": check_positive("num_hidden", num_hidden),
            "implementation": implementation,
            "seed": check_seed(seed),
            "steps": check_positive("steps", steps),
            "batch_size": check_positive("batch_size", batch_size),
            "checkpoint_folder": None,
            "checkpoint_every": check_positive("checkpoint_every", checkpoint_every),
        }
        if checkpoint_folder is not None:
            orders["checkpoint_folder"] = str(check_path("checkpoint_folder", checkpoint_folder).absolute())
        command = [sys.executable, "-c", "from lstm_mnist.bigger import workers; workers.work()", json.dumps(orders)]
        self.children, self.answers = [], []
        self.readers = ThreadPoolExecutor(count)  # a worker's answer is longer than its pipe holds
        try:
            for config in cluster_configs(count):
                child = Child(command, {"TF_CONFIG": config, "LSTM_MNIST_PROGRESS": "0"})
                self.children.append(child)
                self.answers.append(self.readers.submit(child.answer))
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
        time_limit = check_number("time_limit", time_limit, most=cluster.DAY)
        _, unfinished = wait(self.answers, time_limit, return_when=FIRST_EXCEPTION)
        if any(answer.done() and answer.exception() for answer in self.answers):
            time.sleep(0.5)  # who fails first need not be the one to blame: others lose it
            raise cluster.WorkerError(self._last_words([process.poll() for process in self.processes]))
        if unfinished:
            raise cluster.WorkerError(f"the workers were not done after {time_limit:g} s: all of them were stopped")
        told = [answer.result() for answer in self.answers]
        history, *weights = (np.array(array, np.float32) for array in told[0]["arrays"])
        return Run(history, weights, [answer["share"] for answer in told])

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
        self.readers.shutdown()
        for child in self.children:
            child.stop()


def cluster_configs(count):
    """``TF_CONFIG`` of each of ``count`` workers on free ports of this machine."""
    count = check_whole("count", count, 1, MOST_WORKERS)
    addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
    return [
        json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": n}}) for n in range(count)
    ]


def free_ports(count):
    """Ports of loopback on which nobody listens now."""
    count = check_whole("count", count, 1, MOST_WORKERS)
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]


# --- a worker's process --------------------------------------------------------------------------------------------


def work():
    """The whole life of a worker process that ``Workers`` started: it trains and answers with a line of JSON."""
    answers = os.fdopen(os.dup(1), "w")
    end_with_parent()
    status = 0
    try:
        print(json.dumps(_train_as_ordered(**json.loads(sys.argv[1]))), file=answers, flush=True)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        status = 1
    os._exit(status)  # TensorFlow would wait for lost workers before it ends


def _train_as_ordered(num_hidden, implementation, seed, steps, batch_size, checkpoint_folder, checkpoint_every):
    """What this worker's share was, and from the chief the history and the final weights."""
    if hasattr(signal, "alarm"):
        signal.alarm(600)  # ends the process even while TensorFlow waits for the others
    strategy = cluster.worker_strategy(time_limit=300)  # a busy machine takes minutes to import TensorFlow twice
    if hasattr(signal, "alarm"):
        signal.alarm(0)
    keras.utils.set_random_seed(seed)
    with strategy.scope():
        model = LSTMClassifier(num_hidden)
    model.lstm.implementation = implementation
    watchers = []
    if checkpoint_folder:
        watchers.append(Checkpoints(checkpoint_folder, checkpoint_every))
    start = time.perf_counter()
    history = train_shared(strategy, model, load_mnist().train, steps, batch_size, seed, watchers=watchers)
    seconds = time.perf_counter() - start
    n, size = strategy.cluster_resolver.task_id, batch_size // strategy.num_replicas_in_sync
    share = {"images": [n * size, (n + 1) * size], "steps": len(history.loss)}
    share |= {"seconds": seconds, "peak_memory_mb": peak_memory()}
    arrays = []
    if is_chief(strategy):
        arrays = [np.stack(history), *model.get_weights()]
    return {"share": share, "arrays": [array.tolist() for array in arrays]}
