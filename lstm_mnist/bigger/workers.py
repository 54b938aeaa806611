"""Several worker processes on this machine: they train together, and none is left behind, whatever happens.

``Workers`` starts them, watches them and brings back what they learnt; each of them runs ``work``.
"""

import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import sys
import time
from typing import NamedTuple

import keras
import numpy as np

from ..checkpoints import Checkpoints
from ..checks import check_number, check_whole
from ..data import load_mnist
from ..lstm import LSTMClassifier
from ..processes import Child, end_with_parent
from . import cluster
from .sharing import train_shared

PROGRAM = "from lstm_mnist.bigger import workers; workers.work()"


class SharedRun(NamedTuple):
    """What ``Workers.wait`` brings back."""

    history: np.ndarray  # float32 [3, steps]: loss, accuracy, gradient norm, as in ``History``
    weights: list  # the final weights, as ``model.get_weights()``
    shares: list  # a dict a worker: images of a batch (from, to), seconds


class Workers(contextlib.AbstractContextManager):
    """``count`` worker processes that train together, talking over loopback; a context, which ends them all.

    ``orders`` are arguments of ``train_as_ordered``, ``processes`` are ``subprocess.Popen`` objects. They end with this
    process too, however it ends; with a ``checkpoint_folder``, a run that ended so goes on where it was. Raises
    ``ValueError`` for no such ``count``.
    """

    def __init__(self, count=2, **orders):
        command = [sys.executable, "-c", PROGRAM, json.dumps(orders, default=str)]
        environments = [{"TF_CONFIG": config, "LSTM_MNIST_PROGRESS": "0"} for config in cluster_configs(count)]
        self.processes = [Child(command, environment) for environment in environments]
        readers = concurrent.futures.ThreadPoolExecutor(len(self.processes))  # an answer is longer than a pipe holds
        self.answers = [readers.submit(child.answer) for child in self.processes]

    def wait(self, time_limit=600):
        """Their ``SharedRun`` once all ended well; ``WorkerError`` as soon as one did not, or after ``time_limit``."""
        time_limit = check_number("time_limit", time_limit, most=cluster.DAY)
        done, unfinished = concurrent.futures.wait(self.answers, time_limit, concurrent.futures.FIRST_EXCEPTION)
        if any(answer.exception() for answer in done):
            time.sleep(0.5)  # who fails first need not be the one to blame: others lose it
            raise cluster.WorkerError(self._last_words())
        if unfinished:
            raise cluster.WorkerError(f"the workers were not done after {time_limit:g} s: all of them were stopped")
        told = [answer.result() for answer in self.answers]
        history, *weights = (np.array(array, np.float32) for array in told[0]["arrays"])
        return SharedRun(history, weights, [answer["share"] for answer in told])

    def _last_words(self):
        codes = [process.poll() for process in self.processes]
        for n, code in enumerate(codes):
            if code is not None and code < 0:
                return f"worker {n} was killed ({signal.Signals(-code).name}), the others were stopped"
        words = [f"worker {n}: {self.processes[n].last_word()}" for n, code in enumerate(codes) if code]
        return "all workers were stopped, for one failed; " + "; ".join(words)

    def __exit__(self, *_):
        """End every process that has not ended, and wait until it has."""
        for process in self.processes:
            process.kill()  # all at once, before any is waited for
        concurrent.futures.wait(self.answers)
        for process in self.processes:
            process.stop()


def cluster_configs(count):
    """``TF_CONFIG`` of each of ``count`` workers, on ports of this machine on which nobody listens now."""
    count = check_whole("count", count, 1, 100)
    with contextlib.ExitStack() as stack:
        free = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in free]
    return [
        json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": n}}) for n in range(count)
    ]


# --- a worker's process --------------------------------------------------------------------------------------------


def work():
    """The whole life of a worker process that ``Workers`` started: it trains and answers with a line of JSON."""
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    end_with_parent()
    try:
        print(json.dumps(train_as_ordered(**json.loads(sys.argv[1]))), file=output, flush=True)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)  # without waiting for lost workers, as TensorFlow would


def train_as_ordered(steps=100, batch_size=128, seed=0, num_hidden=128, checkpoint_folder=None, checkpoint_every=1000):
    """Train an ``LSTMClassifier`` on MNIST as one of the workers, by ``train_shared``.

    Returns this worker's share, history and final weights: a dict that JSON can hold.
    """
    strategy = cluster.worker_strategy(time_limit=300)  # a busy machine takes minutes to import TensorFlow twice
    keras.utils.set_random_seed(seed)
    with strategy.scope():
        model = LSTMClassifier(num_hidden)
    watchers = [Checkpoints(checkpoint_folder, checkpoint_every)] if checkpoint_folder else []
    start = time.perf_counter()
    history = train_shared(strategy, model, load_mnist().train, steps, batch_size, seed, watchers=watchers)
    seconds = time.perf_counter() - start
    n, size = strategy.cluster_resolver.task_id, batch_size // strategy.num_replicas_in_sync
    arrays = [array.tolist() for array in (np.stack(history), *model.get_weights())]
    return {"share": {"images": [n * size, (n + 1) * size], "seconds": seconds}, "arrays": arrays}
