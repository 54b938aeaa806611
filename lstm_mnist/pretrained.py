"""Weights files: the shipped networks, and those a reader keeps."""

import json
from pathlib import Path

import numpy as np

from .data import DataError, read_npz
from .files import all_or_nothing
from .lstm import LSTMClassifier

WEIGHTS_FOLDER = Path(__file__).with_name("weights")

ARRAYS = ("kernel", "recurrent_kernel", "bias", "output_kernel", "output_bias")


def load_pretrained(name="2019"):
    """``LSTMClassifier`` with the weights of ``lstm_mnist/weights/<name>.npz``.

    Raises ``DataError`` where the file is missing, damaged or holds arrays that do not fit together.
    """
    arrays, _ = _read_weights(name)
    num_features, num_hidden = arrays["kernel"].shape[0], arrays["recurrent_kernel"].shape[0]
    model = LSTMClassifier(num_hidden, arrays["output_bias"].shape[0], num_features, name=f"pretrained_{name}")
    model.set_weights([arrays[array] for array in ARRAYS])
    return model


def pretrained_recipe(name="2019"):
    """How ``weights/<name>.npz`` was trained: a dict of command, seed, steps, versions, validation accuracy."""
    return _read_weights(name)[1]


def save_pretrained(model, path, recipe):
    """Write an ``LSTMClassifier``'s weights and its ``recipe`` (a dict) to ``path``, all or nothing."""
    arrays = dict(zip(ARRAYS, model.get_weights(), strict=True))
    with all_or_nothing(path) as beside, open(beside, "wb") as file:
        np.savez(file, **arrays, recipe=json.dumps(recipe, indent=1))


def _read_weights(name):
    path = WEIGHTS_FOLDER / f"{name}.npz"
    there = ", ".join(sorted(file.stem for file in WEIGHTS_FOLDER.glob("*.npz")))
    remedy = f"make it anew with `make weights`, or take one of: {there}"
    arrays = read_npz(path, {*ARRAYS, "recipe"}, max_bytes=20_000_000, remedy=remedy)
    try:
        recipe = json.loads(str(arrays.pop("recipe")))
        if not isinstance(recipe, dict):
            raise TypeError(f"its recipe is a {type(recipe).__name__}, not a dict")
        d, h, classes = (len(arrays[array]) for array in ("kernel", "recurrent_kernel", "output_bias"))
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is no weights file ({error}): {remedy}") from error
    shapes = [(d, 4 * h), (h, 4 * h), (4 * h,), (h, classes), (classes,)]
    for array, shape in zip(ARRAYS, shapes, strict=True):
        value = arrays[array]
        if value.shape != shape or value.dtype != np.float32 or not np.isfinite(value).all():
            raise DataError(
                f"{path}: {array} is {value.dtype} {list(value.shape)}, expected finite float32 {list(shape)}: {remedy}"
            )
    return arrays, recipe
