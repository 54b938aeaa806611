"""Weights files: the shipped networks, and those a reader keeps."""

import json
from pathlib import Path

import numpy as np

from .checks import check_path
from .files import DataError, all_or_nothing, read_npz
from .lstm import LSTMClassifier

WEIGHTS_FOLDER = Path(__file__).with_name("weights")

ARRAYS = ("kernel", "recurrent_kernel", "bias", "output_kernel", "output_bias")
MAX_BYTES = 20_000_000


def load_pretrained(name="2019"):
    """``LSTMClassifier`` with the shipped weights of that name, or with those of a file ``….npz`` of one's own.

    Raises ``DataError`` where the file is missing, damaged or holds arrays that do not fit together.
    """
    arrays, _ = _read_weights(name)
    return _network(arrays, name=f"pretrained_{Path(str(name)).stem}")


def pretrained_recipe(name="2019"):
    """How those weights were trained: a dict; for the shipped ones of command, seed, steps, versions, accuracy."""
    return _read_weights(name)[1]


def save_pretrained(model, path, recipe):
    """Write an ``LSTMClassifier``'s weights and its ``recipe``, a dict, to ``path`` (``….npz``), all or nothing.

    ``load_pretrained(path)`` then gives a network that answers as ``model`` does. Raises ``TypeError`` or
    ``ValueError`` where it would not: for another kind of network, weights that are not finite float32 or over 20 MB, a
    recipe that is no JSON; ``OSError`` where the file cannot be written.
    """
    if not isinstance(model, LSTMClassifier):
        raise TypeError(f"model is of type {type(model).__name__}: give an LSTMClassifier")
    path = check_path("path", path)
    if path.suffix != ".npz":
        raise ValueError(f"{path} does not end in .npz: call it {path.name}.npz, by which load_pretrained knows a file")
    weights = model.get_weights()
    if len(weights) != len(ARRAYS):
        raise ValueError(f"a {type(model).__name__} has {len(weights)} weights, not five: keep it by model.save")
    arrays = dict(zip(ARRAYS, weights, strict=True))
    _check_arrays(arrays)
    _check_answers(model, arrays)
    text = _recipe_text(recipe)
    with all_or_nothing(path) as beside:
        np.savez(beside, **arrays, recipe=text)
        if beside.stat().st_size > MAX_BYTES:
            raise ValueError(f"weights and recipe take over {MAX_BYTES:,} bytes: keep this network by model.save")


def _network(arrays, **settings):
    num_features, num_hidden = len(arrays["kernel"]), len(arrays["recurrent_kernel"])
    model = LSTMClassifier(num_hidden, len(arrays["output_bias"]), num_features, **settings)
    model.set_weights([arrays[array] for array in ARRAYS])
    return model


def _read_weights(name):
    """The arrays and the recipe of shipped weights or of a file."""
    path = Path(str(name))
    remedy = "save it again with save_pretrained"
    if path.suffix != ".npz":
        path = WEIGHTS_FOLDER / f"{name}.npz"
        shipped = ", ".join(sorted(file.stem for file in WEIGHTS_FOLDER.glob("*.npz")))
        remedy = f"take one of {shipped}, give a file ….npz of your own, or make it anew with `make weights`"
    arrays = read_npz(path, {*ARRAYS, "recipe"}, MAX_BYTES, remedy)
    try:
        recipe = json.loads(str(arrays.pop("recipe")))
        if not isinstance(recipe, dict):
            raise TypeError(f"its recipe is a {type(recipe).__name__}, not a dict")
        _check_arrays(arrays)
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is no weights file ({error}): {remedy}") from error
    return arrays, recipe


def _check_arrays(arrays):
    """Raise ``ValueError`` unless the arrays are an ``LSTMClassifier``'s, in finite float32."""
    num_features, num_hidden, num_classes = (
        arrays[array].shape[0] if arrays[array].ndim else 0 for array in ("kernel", "recurrent_kernel", "output_bias")
    )
    shapes = {
        "kernel": (num_features, 4 * num_hidden),
        "recurrent_kernel": (num_hidden, 4 * num_hidden),
        "bias": (4 * num_hidden,),
        "output_kernel": (num_hidden, num_classes),
        "output_bias": (num_classes,),
    }
    for array, shape in shapes.items():
        value = arrays[array]
        if value.shape != shape or 0 in shape or value.dtype != np.float32 or not np.isfinite(value).all():
            raise ValueError(f"{array} is {value.dtype} {list(value.shape)}, expected finite float32 {list(shape)}")


def _check_answers(model, arrays):
    """Raise ``ValueError`` where an ``LSTMClassifier`` of these weights does not answer as ``model``, a kin of it."""
    images = np.random.default_rng(0).random((8, 28, model.num_features), np.float32)
    ours = np.asarray(model(images), np.float32)
    theirs = np.asarray(_network(arrays, dtype=model.dtype_policy)(images), np.float32)
    if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=0.01, atol=0.02, equal_nan=True):
        raise ValueError(
            f"a {type(model).__name__} answers otherwise than an LSTMClassifier of its weights: keep it by model.save"
        )


def _recipe_text(recipe):
    try:
        if not isinstance(recipe, dict):
            raise TypeError(f"it is a {type(recipe).__name__}")
        return json.dumps(recipe, indent=1)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"recipe cannot be kept ({error}): give a dict of texts, numbers, lists and dicts") from error
