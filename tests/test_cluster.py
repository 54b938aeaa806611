"""One worker of several machines: what its TF_CONFIG may be, and who does not come."""

import json
import socket
import time

import pytest

from lstm_mnist.bigger import cluster
from lstm_mnist.bigger.workers import cluster_configs


def tf_config(workers=("127.0.0.1:1", "127.0.0.1:2"), index=0):
    return json.dumps({"cluster": {"worker": list(workers)}, "task": {"type": "worker", "index": index}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is ''"),
        ("{worker", "Expecting property name"),
        ("[1]", "indices must be integers"),
        ('{"cluster": {"worker": ["a:1"]}}', "'task'"),
        (tf_config(["a"]), "not enough values"),
        (tf_config(["a:x"]), "invalid literal .*'x'"),
        (tf_config(["a:99999"]), "port is 99999: use a whole number from 1 to 65535"),
        (tf_config(index=2), "task index 2 among 2 workers"),
        (tf_config(index=-1), "task index -1"),
    ],
)
def test_a_malformed_tf_config_is_named(monkeypatch, text, message):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=f"TF_CONFIG cannot be used .*{message}.*expected"):
        cluster.worker_strategy()


def test_a_port_in_use_is_named(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("TF_CONFIG", tf_config([f"127.0.0.1:{port}"]))
        with pytest.raises(cluster.WorkerError, match=rf"127\.0\.0\.1:{port} cannot be used .*in use"):
            cluster.worker_strategy()


def test_a_worker_that_never_comes_is_named_after_the_time_limit(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", cluster_configs(2)[0])
    start = time.monotonic()
    with pytest.raises(cluster.WorkerError, match=r"worker 1 at 127\.0\.0\.1:\d+ has not come within 0.5 s"):
        cluster.worker_strategy(time_limit=0.5)
    assert time.monotonic() - start < 30
