"""``python -m lstm_mnist workers``: train on several processes and compare with one."""

import keras
import numpy as np

from .. import LSTMClassifier, load_mnist, train
from ..bigger.cluster import WorkerError
from ..bigger.workers import run_workers


def workers(count, steps, seed=0):
    """Train on worker processes and in this one: print each worker's share, check that the results are the same."""
    batch_size = max(count, 128 // max(count, 1) * count)
    try:
        run = run_workers(count, steps=steps, batch_size=batch_size, seed=seed)
    except (ValueError, WorkerError) as error:
        raise SystemExit(str(error)) from error
    for n, share in enumerate(run.shares):
        (first, end), seconds = share["images"], share["seconds"]
        share = f"images {first} to {end - 1} of each of {steps} batches of {batch_size}"
        print(f"worker {n}: {share}, {seconds:.1f} s", flush=True)
    keras.utils.set_random_seed(seed)
    model = LSTMClassifier()
    history = train(model, load_mnist().train, steps, batch_size, seed, watchers=())
    np.testing.assert_allclose(run.history, np.stack(history), atol=1e-4)
    for theirs, ours in zip(run.weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-4)
    print("losses, accuracies, gradient norms and final weights equal those of one process within 1e-4")
