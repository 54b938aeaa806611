"""Out of the tutorial: a trained network in the formats that other programs read, and answers for a folder of files."""

import contextlib
import importlib.util
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf

from ..data import DataError, check_images
from ..evaluation import predict_probabilities

PICTURES = (".png", ".jpg", ".jpeg")


def export(model, path, time_steps=28):
    """Write ``model``, from uint8 images ``[n, time_steps, num_features]`` to logits, to ``path``, all or nothing.

    ``….keras`` is for Keras with this package, ``….onnx`` for ONNX Runtime and much else (it needs the extra
    ``onnx``); any other path becomes a folder with a SavedModel, for TensorFlow without this package and for TensorFlow
    Serving. What was there before is replaced. Raises ``ValueError`` where it cannot be written or a folder is no
    SavedModel, ``ImportError`` where the extra is missing.
    """
    path = Path(path)
    if path.suffix == ".onnx":
        _need("tf2onnx", "onnx")
    if path.is_dir() and any(path.iterdir()) and not (path / "saved_model.pb").exists():
        raise ValueError(f"{path} is a folder with other things in it: choose another path")
    logger = tf.get_logger()
    level = logger.level
    signature = [tf.TensorSpec([None, time_steps, model.num_features], tf.uint8, name="images")]
    temporary = path.with_name(f".unfinished-{path.name}")
    try:
        logger.setLevel("ERROR")  # it would tell where it writes
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(temporary)
        if path.suffix == ".keras":
            model.save(temporary)
        else:
            form = "onnx" if path.suffix == ".onnx" else "tf_saved_model"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # of Keras, about names that NumPy no longer has
                model.export(temporary, format=form, input_signature=signature, verbose=False)
        _remove(path)
        os.replace(temporary, path)
    except (OSError, tf.errors.OpError) as error:
        raise ValueError(f"{path} cannot be written: {error}") from error
    finally:
        logger.setLevel(level)
        with contextlib.suppress(OSError):
            _remove(temporary)
    return path


def exported_logits(path, images):
    """What an exported model says: logits float32 ``[n, classes]`` for uint8 ``images``.

    Raises ``DataError`` for a path that holds no exported model, ``ImportError`` where the extra ``onnx`` is missing.
    """
    path = Path(path)
    check_images(images)
    if path.suffix == ".onnx":
        _need("onnxruntime")
    try:
        answer = _load(path)
    except Exception as error:  # each of the three formats has errors of its own
        raise DataError(f"{path} holds no exported model that can be read ({error}): export it again") from error
    return np.concatenate([answer(images[start : start + 1000]) for start in range(0, len(images), 1000)])


def _load(path):
    """A function from images to logits; the three ways in which other programs begin."""
    if path.suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return lambda images: session.run(None, {"images": images})[0]
    if path.suffix == ".keras":
        import keras

        model = keras.saving.load_model(path)
        return lambda images: model.predict(images, batch_size=1000, verbose=0)
    model = tf.saved_model.load(str(path))
    return lambda images: model.serve(images).numpy()


def predict_folder(model, folder):
    """Answers for every picture of ``folder``, or for one picture, by name: ``[(name, digit, probability), …]``.

    A file that is no picture of ink on paper has None for its digit and the reason for its probability. Raises
    ``DataError`` where there is no such folder or file, and for a folder without any PNG or JPEG file.
    """
    from ..drawing import read_picture, to_mnist

    folder = Path(folder)
    if not folder.exists():
        raise DataError(f"{folder} is not there: give a folder with pictures of one digit each, or one picture")
    paths = [folder]
    if folder.is_dir():
        paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in PICTURES)
    if not paths:
        raise DataError(f"{folder} holds no PNG or JPEG file: give a folder with pictures of one digit each")
    images, rows = [], []
    for path in paths:
        try:
            images.append(to_mnist(read_picture(path)))
            rows.append([path.name])
        except ValueError as error:
            rows.append([path.name, None, str(error)])
    probabilities = iter(predict_probabilities(model, np.stack(images))) if images else None
    for row in rows:
        if len(row) == 1:
            belief = next(probabilities)
            row += [int(belief.argmax()), float(belief.max())]
    return [tuple(row) for row in rows]


def _need(*packages):
    for package in packages:
        if not importlib.util.find_spec(package):
            raise ImportError(f"ONNX needs {package}, which is not installed: pip install 'lstm-mnist[onnx]'")


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
