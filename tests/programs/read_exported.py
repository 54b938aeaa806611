"""Reads an exported model without what it does not need; ``argv``: its kind, its path, images, and where logits go."""

import sys

import numpy as np

kind, path, images, result = sys.argv[1:]
images = np.load(images)
if kind == "model.keras":
    import keras

    import lstm_mnist  # noqa: F401

    logits = keras.saving.load_model(path).predict(images, batch_size=1000, verbose=0)
elif kind == "saved_model":
    import tensorflow as tf

    model = tf.saved_model.load(path)
    logits = model.serve(images).numpy()
    assert "lstm_mnist" not in sys.modules
else:
    import onnxruntime

    logits = onnxruntime.InferenceSession(path).run(None, {"images": images})[0]
    assert "tensorflow" not in sys.modules
np.save(result, logits)
