"""An LSTM that reads MNIST digits row by row: the helper package of the notebooks, one module each."""

import importlib
import os
import sys
import warnings

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # read at import; not on by default on every CPU
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")  # one core an operation: quicker where they are as small as here
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _import_tensorflow_quietly():
    """Import TensorFlow with file descriptor 2 closed to it: it logs before Python can tell it not to."""
    try:
        stderr = os.dup(2)
    except OSError:  # no stderr to protect
        import tensorflow

        return
    try:
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), 2)
        import tensorflow
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


backend = sys.modules["keras"].backend.backend() if "keras" in sys.modules else os.environ["KERAS_BACKEND"]
if backend != "tensorflow":
    raise ImportError(
        f"lstm_mnist needs Keras with the TensorFlow backend, found {backend!r}: "
        "set KERAS_BACKEND=tensorflow before Python starts, or remove the backend line of ~/.keras/keras.json"
    )

if "tensorflow" not in sys.modules:
    _import_tensorflow_quietly()

import keras

from .checkpoints import Checkpoints
from .data import MNIST, DataError, Split, load_idx, load_mnist
from .lstm import LSTM, LSTMClassifier
from .pretrained import load_pretrained, pretrained_recipe, save_pretrained
from .training import History, compute_gradients, loss_and_accuracy, train
from .watchers import Printing, ProgressBar, TensorBoard

if keras.config.dtype_policy().name != "float32":
    warnings.warn(
        f"Keras computes in {keras.config.dtype_policy().name} here, the notebooks in float32: take the floatx line "
        "out of ~/.keras/keras.json, or set no floatx or dtype policy before this import",
        stacklevel=2,
    )

ROOMS = ("better", "bigger", "checkpoints", "drawing", "evaluation", "exercises", "faster", "inside", "pad", "plots")


def __getattr__(name):
    """Import a room of the package when it is first asked for, so that ``import lstm_mnist`` stays quick."""
    if name in ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
