"""One worker of several machines: who the others are, and what goes wrong among them."""

import contextlib
import json
import os
import signal
import socket
import time

import tensorflow as tf

from ..checks import check_number, check_whole

DAY = 24 * 3600
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)


class WorkerError(RuntimeError):
    """A worker that cannot start, does not come or was lost; the message names it and the remedy."""


def worker_strategy(time_limit=60):
    """``MultiWorkerMirroredStrategy`` of the workers in ``TF_CONFIG``, once all of them have come.

    TensorFlow itself waits long and deaf to Ctrl-C; here each worker first shows itself on its own port, and looks for
    the others on theirs. Raises ``ValueError`` for a malformed ``TF_CONFIG`` or time limit, ``WorkerError`` for a port
    in use or a worker that is not there after ``time_limit`` seconds.
    """
    time_limit = check_number("time_limit", time_limit, most=DAY)
    workers, index = read_tf_config()
    host, port = workers[index]
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise WorkerError(
            f"{host}:{port} cannot be used ({error}): free it, or give this worker another in TF_CONFIG"
        ) from error
    with listener:
        _wait_for(workers, time_limit)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # TensorFlow catches it and goes on
    return strategy


def read_tf_config():
    """The workers' addresses, pairs of host and port, and this one's place among them, from ``TF_CONFIG``.

    Raises ``ValueError`` for a malformed ``TF_CONFIG``.
    """
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text)
        index = config["task"]["index"]
        pairs = [worker.rsplit(":", 1) for worker in config["cluster"]["worker"]]
        workers = [(host, check_whole("port", int(port), 1, 65_535)) for host, port in pairs]
        if index not in range(len(workers)):
            raise ValueError(f"task index {index} among {len(workers)} workers")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        example = '{"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}'
        raise ValueError(f"TF_CONFIG cannot be used ({error}): it is {text!r}, expected {example}") from error
    return workers, index


def _wait_for(workers, time_limit):
    end = time.monotonic() + time_limit
    for n, (host, port) in enumerate(workers):
        while True:
            with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
                break
            if time.monotonic() > end:
                raise WorkerError(
                    f"worker {n} at {host}:{port} has not come within {time_limit:g} s: "
                    "start it with the same TF_CONFIG and its own task index"
                )
            time.sleep(0.1)
