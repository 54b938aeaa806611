"""Reads exported models, each without what it does not need; ``argv``: a folder of images and results, and paths.

An ONNX file comes first and a ``.keras`` file last: what one does not need, another brings.
"""

import sys
from pathlib import Path

import numpy as np

folder, *paths = map(Path, sys.argv[1:])
images = np.load(folder / "images.npy")
for path in paths:
    if path.suffix == ".onnx":
        import onnxruntime

        logits = onnxruntime.InferenceSession(path).run(None, {"images": images})[0]
        assert "tensorflow" not in sys.modules
    elif path.suffix == ".keras":
        import keras

        import lstm_mnist  # noqa: F401

        logits = keras.saving.load_model(path).predict(images, batch_size=1000, verbose=0)
    else:
        import tensorflow as tf

        model = tf.saved_model.load(path)
        logits = model.serve(images).numpy()
        assert "lstm_mnist" not in sys.modules
    np.save(folder / f"{path.name}.npy", logits)
