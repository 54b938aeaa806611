"""One worker of several machines: who the others are, and what goes wrong among them."""

import contextlib
import json
import os
import signal
import socket
import threading
import time

import tensorflow as tf

from ..checks import check_number, check_whole

DAY = 24 * 3600
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)


class WorkerError(RuntimeError):
    """A worker that cannot start, does not come or was lost; the message names it and the remedy."""


def worker_strategy(time_limit=60):
    """``MultiWorkerMirroredStrategy`` of the workers in ``TF_CONFIG``, once all of them have come.

    TensorFlow itself waits long and deaf to Ctrl-C; here each worker first shows itself on its own port, and looks
    for the others on theirs. Raises ``ValueError`` for a malformed ``TF_CONFIG``, ``WorkerError`` for a port in use
    or a worker that is not there after ``time_limit`` seconds.
    """
    time_limit = check_number("time_limit", time_limit, most=DAY)
    workers, index = read_tf_config()
    with _listening(workers[index]):
        _wait_for(workers, time_limit)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # TensorFlow catches it and goes on
    return strategy


def read_tf_config():
    """The workers' addresses and this one's place among them, from the environment's ``TF_CONFIG``.

    The addresses are pairs of host and port. Raises ``ValueError`` for a malformed ``TF_CONFIG``.
    """
    example = '{"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}'
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text)
        workers, task = config["cluster"]["worker"], config["task"]
        addresses = [_address(worker) for worker in workers]
        index = task["index"]
        if set(config["cluster"]) != {"worker"} or task["type"] != "worker":
            raise ValueError("all tasks have to be of type worker")
        if len(set(addresses)) < len(addresses):
            raise ValueError("an address occurs twice")
        if not isinstance(index, int) or not 0 <= index < len(addresses):
            raise ValueError(f"task index {index} among {len(addresses)} workers")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"has no {error}" if isinstance(error, KeyError) else f"cannot be used ({error})"
        raise ValueError(f"TF_CONFIG {what}: it is {text!r}, expected {example}") from error
    return addresses, index


def _address(worker):
    host, _, port = worker.rpartition(":")
    if not host:
        raise ValueError(f"{worker!r} has no host or no port")
    return host, check_whole(f"the port of {worker!r}", int(port), 1, 65535)


@contextlib.contextmanager
def _listening(address):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen()
        except (OSError, UnicodeError) as error:  # a host's name that cannot be one is a UnicodeError
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
        except (OSError, UnicodeError) as error:
            if time.monotonic() > end:
                raise WorkerError(
                    f"worker {workers.index((host, port))} at {host}:{port} has not come within {time_limit:g} s "
                    f"({error}): start it with the same TF_CONFIG and its own task index"
                ) from None
            time.sleep(0.1)
