"""Out of the tutorial: a trained network in the formats that other programs read, and answers for a folder of files."""

import contextlib
import importlib.util

import keras
import numpy as np
import tensorflow as tf

from ..checks import check_path, check_positive
from ..drawing import read_picture, to_mnist
from ..evaluation import predict_probabilities
from ..files import DataError, all_or_nothing
from ..lstm import LSTM

FORMS = {"": "tf_saved_model", ".onnx": "onnx", ".keras": "keras"}  # by the path's ending
PICTURES = (".png", ".jpg", ".jpeg")
SAVED_MODEL = {"saved_model.pb", "variables", "assets", "fingerprint.pb"}  # what TensorFlow puts into such a folder


def export(model, path, time_steps=28):
    """Write ``model``, from uint8 images ``[n, time_steps, num_features]`` to logits, to ``path``, all or nothing.

    ``….keras`` is for Keras with this package, ``….onnx`` for ONNX Runtime and much else (it needs the extra ``onnx``);
    a name without an ending becomes a folder with a SavedModel, for TensorFlow without this package and for TensorFlow
    Serving. An older export of that name is replaced. Returns the path; ``….keras`` takes any number of rows. Raises
    ``TypeError`` for another kind of model or path, ``ValueError`` for another ending or number of rows, or a folder
    with other things in it, ``OSError`` where ``path`` cannot be written, ``ImportError`` where the extra is missing.
    """
    time_steps = check_positive("time_steps", time_steps)
    path = check_path("path", path)
    if not isinstance(model, keras.Model) or not hasattr(model, "num_features"):
        raise TypeError(f"model is of type {type(model).__name__}: give a network of this package")
    if path.suffix not in FORMS:
        raise ValueError(
            f"{path} ends in {path.suffix}: end it in .keras or .onnx, or leave the ending out for a SavedModel"
        )
    if path.suffix == ".onnx" and not importlib.util.find_spec("tf2onnx"):
        raise ImportError("ONNX needs tf2onnx, which is not installed: pip install -e '.[onnx]' in the clone")
    if path.is_dir() and not {entry.name for entry in path.iterdir()} <= SAVED_MODEL:
        raise ValueError(f"{path} is a folder with other things in it: choose another path")
    signature = [tf.TensorSpec([None, time_steps, model.num_features], tf.uint8, name="images")]
    with all_or_nothing(path) as beside:
        if path.suffix == ".keras":
            _save(model, beside)
        else:
            with _row_after_row(model):
                model.export(beside, format=FORMS[path.suffix], input_signature=signature, verbose=False)
    return path


def _save(model, path):
    """Write a ``.keras`` file that can be read again."""
    try:
        model.save(path)
        keras.saving.load_model(path)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise TypeError(
            f"a {type(model).__name__} cannot be read again from a .keras file: end the path in .onnx, or in nothing"
        ) from error


@contextlib.contextmanager
def _row_after_row(model):
    """With plain rows in every LSTM: other programs may not know TensorFlow's fused operations."""
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, LSTM)]
    before = [layer.implementation for layer in layers]
    for layer in layers:
        layer.implementation = "plain"
    try:
        yield
    finally:
        for layer, implementation in zip(layers, before, strict=True):
            layer.implementation = implementation


def predict_folder(model, folder):
    """Answers for every picture of ``folder``, or for one picture, by name: ``[(name, digit, probability), …]``.

    A file that is no picture of ink on paper has None for its digit and the reason for its probability. Raises
    ``DataError`` where there is no such folder or file, and for a folder without any PNG or JPEG file.
    """
    folder = check_path("folder", folder)
    if not folder.exists():
        raise DataError(f"{folder} is not there: give a folder with pictures of one digit each, or one picture")
    paths = [folder]
    if folder.is_dir():
        paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in PICTURES)
    if not paths:
        raise DataError(f"{folder} holds no PNG or JPEG file: give a folder with pictures of one digit each")
    images, answers = {}, {}
    for path in paths:
        try:
            images[path.name] = to_mnist(read_picture(path))
        except ValueError as error:
            answers[path.name] = (None, str(error))
    if images:
        probabilities = predict_probabilities(model, np.stack(list(images.values())))
        for name, belief in zip(images, probabilities, strict=True):
            answers[name] = (int(belief.argmax()), float(belief.max()))
    return [(path.name, *answers[path.name]) for path in paths]
