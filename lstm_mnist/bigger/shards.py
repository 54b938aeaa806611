"""More digits than fit into memory: TFRecord files, written and read as a stream.

A folder of shards holds ``digits-00000-of-00010.tfrecord`` and so on, and ``shards.json``, written last, which lists
them. The first record of a file is its header, in JSON; every further one is a digit: a byte for the label, then the
pixels. TensorFlow's format adds a checksum to each record.
"""

import contextlib
import json
import os
import re
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ..data import DataError, check_images, check_labels, check_positive
from ..training import History, compute_gradients, make_train_steps

VERSION = 1
INDEX = "shards.json"
STEPS_PER_CALL = 10
DAMAGE = (tf.errors.DataLossError, tf.errors.NotFoundError, tf.errors.InvalidArgumentError)


def write_shards(folder, batches, shards=10, num_classes=10):
    """Write the pairs ``(images, labels)`` of ``batches``, an iterable of uint8 arrays, to ``shards`` files.

    Digits are dealt to the files in turn, and only one batch is held in memory. Returns the ``Shards``. Raises
    ``ValueError`` for impossible arrays, or a folder that cannot be written or is not empty. A folder whose writing was
    cut off has no ``shards.json``, and is refused when read.
    """
    check_positive("shards", shards)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ValueError(f"{folder} is not empty: choose another folder for the shards")
    except OSError as error:
        raise ValueError(f"{folder} cannot be written: {error}") from error
    names = [f"digits-{k:05d}-of-{shards:05d}.tfrecord" for k in range(shards)]
    header, total = None, 0
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(tf.io.TFRecordWriter(str(folder / name))) for name in names]
        for images, labels in batches:
            check_images(images)
            check_labels(labels, len(images), num_classes)
            if header is None:
                header = {"version": VERSION, "shape": list(images.shape[1:]), "num_classes": num_classes}
                header["set"] = os.urandom(8).hex()  # tells these files from those of another writing
                for writer in writers:
                    writer.write(json.dumps(header).encode())
            if images.dtype != np.uint8 or list(images.shape[1:]) != header["shape"]:
                raise ValueError(f"a batch holds {images.dtype} {images.shape[1:]}, not uint8 {header['shape']}")
            for record in np.concatenate([np.uint8(labels)[:, None], images.reshape(len(images), -1)], axis=1):
                writers[total % shards].write(record.tobytes())
                total += 1
    if header is None:
        raise ValueError("there is no batch to write: give at least one")
    files = {name: {"digits": len(range(k, total, shards))} for k, name in enumerate(names)}
    for name in names:
        files[name]["bytes"] = (folder / name).stat().st_size
    temporary = folder / "shards.tmp"
    temporary.write_text(json.dumps(header | {"files": files}, indent=1))
    os.replace(temporary, folder / INDEX)
    return Shards(folder)


class Shards:
    """A folder that ``write_shards`` made. ``len`` is the number of digits.

    Raises ``DataError`` with the name of a file that is missing, cut short or of another version or writing.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        remedy = "write the shards again, into an empty folder"
        try:
            header = json.loads((self.folder / INDEX).read_text())
            self.files = header.pop("files")
            version, self.shape, self.num_classes = header["version"], tuple(header["shape"]), header["num_classes"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{self.folder / INDEX} cannot be read ({error!r}): {remedy}") from error
        if version != VERSION:
            raise DataError(f"{self.folder / INDEX} is of version {version}, this program reads {VERSION}: {remedy}")
        for name, promised in self.files.items():
            path = self.folder / name
            if not path.exists():
                raise DataError(f"{path} is missing, one of {len(self.files)} shards: {remedy}")
            own = _read_header(path)
            if own != header:
                differing = ", ".join(
                    f"{key} {own.get(key)} and not {header[key]}" for key in header if own.get(key) != header[key]
                )
                raise DataError(f"{path} does not belong to the other shards, its header says {differing}: {remedy}")
            if path.stat().st_size != promised["bytes"]:
                raise DataError(f"{path} has {path.stat().st_size} bytes instead of {promised['bytes']}: {remedy}")

    def __len__(self):
        return sum(file["digits"] for file in self.files.values())

    def stream(self, batch_size=128, seed=0, buffer=10_000):
        """An endless ``tf.data.Dataset`` of uint8 images ``[batch_size, *shape]`` and labels ``[batch_size]``.

        Each time through, the files are put in another order and four are read side by side; of what they give,
        ``buffer`` digits at a time are shuffled. Batch ``n`` is a pure function of ``(seed, n)`` and ``buffer``.
        """
        check_positive("batch_size", batch_size)
        check_positive("buffer", buffer)
        paths = tf.constant([str(self.folder / name) for name in self.files])
        size = 1 + int(np.prod(self.shape))
        shuffled = tf.random.experimental.stateless_shuffle

        def one_time_through(epoch):
            files = tf.data.Dataset.from_tensor_slices(shuffled(paths, [seed, epoch]))
            digits = files.interleave(lambda path: tf.data.TFRecordDataset(path).skip(1), cycle_length=4)
            return digits.batch(buffer).enumerate().map(lambda n, records: decode(records, [seed, epoch * 2**32 + n]))

        def decode(records, seed):
            values = shuffled(tf.reshape(tf.io.decode_raw(records, tf.uint8), [-1, size]), seed)
            return tf.reshape(values[:, 1:], [-1, *self.shape]), values[:, 0]

        stream = tf.data.Dataset.counter().flat_map(one_time_through)
        return stream.rebatch(batch_size, drop_remainder=True).prefetch(2)

    def check(self):
        """Read every record; raise ``DataError`` with the name of the first file that is damaged."""
        for name, promised in self.files.items():
            try:
                found = sum(1 for _ in tf.data.TFRecordDataset(str(self.folder / name))) - 1
                if found != promised["digits"]:
                    raise DataError(f"it holds {found} digits, not {promised['digits']}")
            except (*DAMAGE, DataError) as error:
                message = (re.findall(r"\w+ record at \d+", str(error)) or [error])[0]
                raise DataError(f"{self.folder / name} is damaged ({message}): write the shards again") from error


def _read_header(path):
    try:
        first = next(iter(tf.data.TFRecordDataset(str(path)).take(1))).numpy()
        return dict(json.loads(first))
    except (*DAMAGE, StopIteration, ValueError, TypeError) as error:
        raise DataError(f"{path} opens with no header: it is damaged or no shard; write the shards again") from error


def train_on_stream(
    model, shards, steps, batch_size=128, seed=0, optimizer=None, compute=compute_gradients, buffer=10_000
):
    """Like ``train``, on ``shards``: memory does not grow with their size. Returns the ``History``.

    For a model of a strategy give ``compute=share_out(strategy)``. Raises ``DataError`` with the name of a shard that
    turns out to be damaged.
    """
    check_positive("steps", steps)
    model.check(np.zeros((1, *shards.shape), np.uint8))
    check_labels([shards.num_classes - 1], 1, model.num_classes)
    with model.distribute_strategy.scope():
        if optimizer is None:
            optimizer = keras.optimizers.Adam(learning_rate=0.001)
        optimizer.build(model.trainable_variables)
    train_steps = make_train_steps(model, optimizer, (batch_size, *shards.shape), compute)
    stream = shards.stream(batch_size, seed, buffer).take(steps).batch(STEPS_PER_CALL)
    try:
        history = [train_steps(images, labels).numpy() for images, labels in stream]
    except DAMAGE:
        Shards(shards.folder).check()
        raise
    optimizer.finalize_variable_values(model.trainable_variables)
    return History(*np.concatenate(history).T)
