"""``python -m lstm_mnist workers``: train on several processes and compare with one."""

import keras
import numpy as np

from .. import LSTMClassifier, load_mnist, train
from ..bigger.cluster import WorkerError
from ..bigger.workers import Workers


def workers(count, steps=200):
    """Train on worker processes and in this one: print each worker's share, check that the results are the same."""
    batch_size = 128 - 128 % max(count, 1)
    try:
        with Workers(count, steps=steps, batch_size=batch_size) as running:
            run = running.wait()
    except (ValueError, WorkerError) as error:
        raise SystemExit(str(error)) from error
    for n, share in enumerate(run.shares):
        (first, end), seconds = share["images"], share["seconds"]
        images = f"images {first} to {end - 1} of each of {steps} batches of {batch_size}"
        print(f"worker {n}: {images}, {seconds:.1f} s", flush=True)
    keras.utils.set_random_seed(0)
    model = LSTMClassifier()
    history = train(model, load_mnist().train, steps, batch_size, watchers=())
    np.testing.assert_allclose(run.history, np.stack(history), atol=1e-4)
    for theirs, ours in zip(run.weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-4)
    print("losses, accuracies, gradient norms and final weights equal those of one process within 1e-4")
