"""Model, optimizer, step and history in a folder: a run that was cut off goes on as if it had not been."""

import json
import os
import zlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from .data import DataError


class Checkpoints:
    """Model, optimizer, step and history in a folder, beside ``run.json``, which says whose they are."""

    def __init__(self, folder, model, optimizer, split, batch_size, seed, chief=True):
        self.folder = Path(folder)
        self.remedy = "choose another checkpoint_folder, or delete this one to begin anew"
        self.step = tf.Variable(0, dtype=tf.int64)
        self.history = tf.Variable(np.zeros((0, 3), np.float32), shape=(None, 3))
        run = {
            "model": [list(weight.shape) for weight in model.weights],
            "optimizer": optimizer.get_config() | {"name": type(optimizer).__name__},
            "data": [len(split), zlib.crc32(split.images.tobytes()), zlib.crc32(split.labels.tobytes())],
            "batch_size": batch_size,
            "seed": seed,
        }
        self._claim(json.loads(json.dumps(run, default=str)), chief)
        state = tf.train.Checkpoint(model=model, optimizer=optimizer, step=self.step, history=self.history)
        self.manager = tf.train.CheckpointManager(state, str(self.folder), max_to_keep=2)

    def _claim(self, run, chief):
        """Write ``run.json``, or raise ``ValueError`` where it names another run."""
        path = self.folder / "run.json"
        if path.exists():
            try:
                theirs = dict(json.loads(path.read_text()))
            except (TypeError, ValueError) as error:
                raise DataError(f"{path} is damaged ({error}): {self.remedy}") from error
            for key, value in run.items():
                if theirs.get(key) != value:
                    raise ValueError(
                        f"{self.folder} holds a run with {key} = {theirs.get(key)}, this one has {value}: "
                        "choose another checkpoint_folder, or delete it"
                    )
        elif self.folder.is_dir() and any(file.name != "run.tmp" for file in self.folder.iterdir()):
            raise ValueError(f"{self.folder} is not empty and holds no run.json: choose another checkpoint_folder")
        elif chief:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                temporary = path.with_suffix(".tmp")
                temporary.write_text(json.dumps(run, indent=1))
                os.replace(temporary, path)
            except OSError as error:
                raise ValueError(f"checkpoint_folder {self.folder} cannot be written: {error}") from error

    def restore(self):
        """The step reached and the history so far, with model and optimizer set to them."""
        try:
            found = self.manager.restore_or_initialize()
        except (tf.errors.OpError, IndexError) as error:  # what TensorFlow raises depends on the damaged byte
            raise DataError(f"{self.folder} holds a damaged checkpoint ({error}): {self.remedy}") from error
        if found is None and (self.folder / "checkpoint").exists():  # TensorFlow only warns, and would begin anew
            raise DataError(f"{self.folder / 'checkpoint'} is damaged: {self.remedy}")
        return (int(self.step), [self.history.numpy()]) if found else (0, [])

    def save(self, step, history):
        self.step.assign(step)
        self.history.assign(history)
        try:
            self.manager.save(checkpoint_number=step)
        except tf.errors.OpError as error:
            raise OSError(f"step {step} cannot be kept in {self.folder}, earlier ones are: {error}") from error
