"""Weights files: the shipped networks, and those a reader keeps."""

import json
from pathlib import Path

import numpy as np

from .checks import check_path
from .files import DataError, all_or_nothing, read_npz
from .lstm import LSTMClassifier

WEIGHTS_FOLDER = Path(__file__).with_name("weights")

ARRAYS = ("kernel", "recurrent_kernel", "bias", "output_kernel", "output_bias")


def load_pretrained(name="2019"):
    """``LSTMClassifier`` with the shipped weights of that name, or with those of a file ``….npz`` of one's own.

    Raises ``DataError`` where the file is missing, damaged or holds arrays that do not fit together.
    """
    return _read_weights(name)[0]


def pretrained_recipe(name="2019"):
    """How those weights were trained: a dict; for the shipped ones of command, seed, steps, versions, accuracy."""
    return _read_weights(name)[1]


def save_pretrained(model, path, recipe):
    """Write an ``LSTMClassifier``'s weights and its ``recipe``, a dict, to ``path`` (``….npz``), all or nothing.

    ``load_pretrained(path)`` then gives a network that answers as ``model`` does. Raises ``TypeError`` or
    ``ValueError`` where it would not: for another kind of network, weights that are not finite float32, a recipe that
    is no JSON; ``OSError`` where the file cannot be written.
    """
    if not isinstance(model, LSTMClassifier):
        raise TypeError(f"model is of type {type(model).__name__}: give an LSTMClassifier")
    path = check_path("path", path)
    if path.suffix != ".npz":
        raise ValueError(f"{path} does not end in .npz: call it {path.name}.npz, by which load_pretrained knows a file")
    try:
        text = json.dumps({**recipe}, indent=1)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"recipe cannot be kept ({error}): give a dict of texts, numbers, lists and dicts") from error
    weights = model.get_weights()
    if len(weights) != len(ARRAYS):  # after quantize or enable_lora
        raise ValueError(f"the network has {len(weights)} arrays of weights, not {len(ARRAYS)}: keep it by model.save")
    arrays = dict(zip(ARRAYS, weights, strict=True))
    loaded = _network(arrays, dtype=model.dtype_policy)
    images = np.random.default_rng(0).random((8, 28, model.num_features), np.float32)
    rounding = 1e-4 if model.compute_dtype == "float32" else 0.02
    if not np.allclose(loaded(images), model(images), rtol=rounding, atol=rounding):
        raise ValueError(f"a {type(model).__name__} answers otherwise than an LSTMClassifier: keep it by model.save")
    with all_or_nothing(path) as beside:
        np.savez(beside, **arrays, recipe=text)


def _read_weights(name):
    """The network and the recipe of shipped weights or of a file."""
    path = Path(str(name))
    remedy = "save it again with save_pretrained"
    if path.suffix != ".npz":
        path = WEIGHTS_FOLDER / f"{name}.npz"
        shipped = ", ".join(sorted(file.stem for file in WEIGHTS_FOLDER.glob("*.npz")))
        remedy = f"take one of {shipped}, give a file ….npz of your own, or make it anew with `make weights`"
    arrays = read_npz(path, [*ARRAYS, "recipe"], remedy)
    try:
        recipe = {**json.loads(str(arrays["recipe"]))}
        return _network(arrays, name=f"pretrained_{path.stem}"), recipe
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is no weights file ({error}): {remedy}") from error


def _network(arrays, **settings):
    """An ``LSTMClassifier`` of these weights; ``ValueError`` unless they are finite float32 and fit together."""
    for name in ARRAYS:
        if arrays[name].dtype != np.float32 or not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} is {arrays[name].dtype}, expected float32, all finite")
    sizes = (len(arrays[name]) for name in ("recurrent_kernel", "output_bias", "kernel"))
    model = LSTMClassifier(*sizes, **settings)
    model.set_weights([arrays[name] for name in ARRAYS])
    return model
