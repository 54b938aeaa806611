"""More digits than fit into memory: TFRecord files, written and read as a stream.

A folder of shards holds ``digits-00000-of-00010.tfrecord`` and so on, and ``shards.json``, which says how many digits
each of them has. The first record of a file is its header, in JSON, with its number among them; every further one is a
digit: a byte for the label, then the pixels. TensorFlow's format adds a checksum to each record.
"""

import contextlib
import json
import os
import re

import keras
import numpy as np
import tensorflow as tf

from ..checks import check_images, check_labels, check_path, check_positive, check_seed, check_whole
from ..data import MAX_CLASSES, Split
from ..files import DataError, all_or_nothing
from ..training import History, check_arguments, compute_gradients, make_train_steps

VERSION = 2
INDEX = "shards.json"
MOST_SHARDS = 99_999  # the names have five digits
STEPS_PER_CALL = 10
FRAME = 16  # bytes that the format adds to each record: its length and two checksums
REMEDY = "write the shards again"


def write_shards(folder, batches, shards=10, num_classes=10):
    """Write the pairs ``(images, labels)`` of ``batches``, an iterable of uint8 arrays, to ``shards`` files.

    Digits are dealt to the files in turn, and only one batch is held in memory. Returns the ``Shards``. The folder is
    there as soon as it is whole, not before. Raises ``ValueError`` or ``TypeError`` for impossible arrays, or a folder
    that is not empty, ``OSError`` where it cannot be written.
    """
    folder = check_path("folder", folder)
    shards = check_whole("shards", shards, 1, MOST_SHARDS)
    num_classes = check_whole("num_classes", num_classes, 1, MAX_CLASSES)
    if not _is_empty(folder):
        raise ValueError(f"{folder} is not empty: choose another folder for the shards")
    header = {"version": VERSION, "num_classes": num_classes, "shards": shards}
    header["set"] = os.urandom(8).hex()  # tells these files from those of another writing
    with all_or_nothing(folder) as beside:
        beside.mkdir()
        try:
            shape, total = _write_files(beside, _pairs(batches), header)
        except tf.errors.OpError as error:
            raise OSError(error.message) from error
        digits = [len(range(k, total, shards)) for k in range(shards)]  # dealt in turn
        (beside / INDEX).write_text(json.dumps(header | {"shape": shape, "digits": digits}, indent=1))
    return Shards(folder)


def _is_empty(folder):
    """Whether nothing that a person put there lies in the folder; hidden files are left by file managers."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return not folder.exists() or all(entry.name.startswith(".") for entry in folder.iterdir())
    except OSError as error:
        raise OSError(f"{folder} cannot be written ({error}): choose another folder") from error


def _pairs(batches):
    """The batches one by one, once they are seen to be pairs."""
    expected = "give pairs (images, labels), such as [(images, labels)]"
    if not hasattr(batches, "__iter__"):
        raise TypeError(f"batches are a {type(batches).__name__}: {expected}")
    for batch in batches:
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise TypeError(f"batches hold a {type(batch).__name__}: {expected}")
        yield batch


def _write_files(folder, pairs, header):
    """The files, without the index. Returns the shape of an image and the number of digits."""
    shards, num_classes = header["shards"], header["num_classes"]
    shape, total = None, 0
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(tf.io.TFRecordWriter(str(folder / _name(k, shards)))) for k in range(shards)]
        for images, labels in pairs:
            check_images(images)
            check_labels(labels, len(images), num_classes)
            if shape is None:
                shape = list(images.shape[1:])
                for k, writer in enumerate(writers):
                    writer.write(json.dumps(header | {"shape": shape, "shard": k}).encode())
            if images.dtype != np.uint8 or list(images.shape[1:]) != shape:
                raise ValueError(f"a batch holds {images.dtype} {images.shape[1:]}, not uint8 {shape}")
            pixels = np.asarray(images).reshape(len(images), -1)
            for record in np.concatenate([np.asarray(labels, np.uint8)[:, None], pixels], axis=1):
                writers[total % shards].write(record.tobytes())
                total += 1
    if shape is None:
        raise ValueError("there is no batch to write: give at least one")
    return shape, total


def _name(shard, shards):
    return f"digits-{shard:05d}-of-{shards:05d}.tfrecord"


class Shards:
    """A folder that ``write_shards`` made. ``len`` is the number of digits.

    ``files`` says of each file by name how many ``digits`` and ``bytes`` it has. Raises ``DataError`` with the name of
    a file that is missing, cut short, in another's place, or of another version or writing.
    """

    def __init__(self, folder):
        self.folder = check_path("folder", folder)
        header, digits = _read_index(self.folder / INDEX)
        self.shape, self.num_classes = tuple(header["shape"]), header["num_classes"]
        self.files = {}
        for shard, count in enumerate(digits):
            own_header = header | {"shard": shard}
            name = _name(shard, header["shards"])
            size = _check_header(self.folder / name, own_header) + count * (FRAME + 1 + int(np.prod(self.shape)))
            found = (self.folder / name).stat().st_size
            if found != size:
                raise DataError(f"{self.folder / name} has {found} bytes instead of {size}: {REMEDY}")
            self.files[name] = {"digits": count, "bytes": size}

    def __len__(self):
        return sum(file["digits"] for file in self.files.values())

    def stream(self, batch_size=128, seed=0, buffer=10_000):
        """An endless ``tf.data.Dataset`` of uint8 images ``[batch_size, *shape]`` and labels ``[batch_size]``.

        Each time through, the files are put in another order and four are read side by side; of what they give,
        ``buffer`` digits at a time are shuffled. Batch ``n`` is a pure function of ``(seed, n)`` and ``buffer``.
        """
        batch_size = check_positive("batch_size", batch_size)
        buffer = check_positive("buffer", buffer)
        seed = check_seed(seed)
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
            path = self.folder / name
            try:
                found = sum(1 for _ in tf.data.TFRecordDataset(str(path))) - 1
            except tf.errors.OpError as error:
                place = re.search(r"\w+ record at \d+", error.message)
                raise DataError(f"{path} is damaged ({place[0] if place else error.message}): {REMEDY}") from error
            if found != promised["digits"]:
                raise DataError(f"{path} is damaged (it holds {found} digits, not {promised['digits']}): {REMEDY}")


def _read_index(path):
    """The header that all files share, and how many digits each of them has."""
    try:
        header = json.loads(path.read_text())
        digits = header.pop("digits")
        if header["version"] != VERSION:
            raise ValueError(f"it is of version {header['version']}, this program reads {VERSION}")
        if not set(header) == {"version", "num_classes", "shards", "set", "shape"}:
            raise ValueError(f"its keys are {sorted(header)}")
        for size in header["shape"]:
            check_positive("shape", size)
        if len(header["shape"]) != 2 or len(digits) != check_whole("shards", header["shards"], 1, MOST_SHARDS):
            raise ValueError(f"shape {header['shape']}, digits of {len(digits)} shards of {header['shards']}")
        for count in digits:
            check_whole("digits", count, 0, 2**53)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path} cannot be read ({error!r}): {REMEDY}, into an empty folder") from error
    return header, digits


def _check_header(path, expected):
    """The size of a file's header in bytes; ``DataError`` where the file is missing or has another header."""
    try:
        if not path.exists():
            raise DataError(f"{path} is missing, one of {expected['shards']} shards: {REMEDY}")
        record = next(iter(tf.data.TFRecordDataset(str(path)).take(1))).numpy()
        found = dict(json.loads(record))
    except (tf.errors.OpError, OSError, StopIteration, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} opens with no header: it is damaged or no shard; {REMEDY}") from error
    for key, value in expected.items():
        if found.get(key) != value:
            raise DataError(
                f"{path} does not belong here, its header says {key} {found.get(key)} and not {value}: {REMEDY}"
            )
    return FRAME + len(record)


def train_on_stream(
    model, shards, steps, batch_size=128, seed=0, optimizer=None, compute=compute_gradients, buffer=10_000
):
    """Like ``train``, on ``shards``: memory does not grow with their size. Returns the ``History``.

    For a model of a strategy give ``compute=share_out(strategy)``. Raises ``TypeError`` or ``ValueError`` as ``train``
    does, ``DataError`` with the name of a shard that turns out to be damaged.
    """
    if not isinstance(shards, Shards):
        raise TypeError(f"shards are a {type(shards).__name__}: give those of write_shards, or Shards(folder)")
    blank = Split(np.zeros((1, *shards.shape), np.uint8), [shards.num_classes - 1], shards.num_classes)
    check_arguments(model, blank, steps, batch_size, optimizer)
    with model.distribute_strategy.scope():
        if optimizer is None:
            optimizer = keras.optimizers.Adam(learning_rate=0.001)
        optimizer.build(model.trainable_variables)
    train_steps = make_train_steps(model, optimizer, (batch_size, *shards.shape), compute)
    stream = shards.stream(batch_size, seed, buffer).take(steps).batch(STEPS_PER_CALL)
    try:
        history = [train_steps(images, labels).numpy() for images, labels in stream]
    except tf.errors.OpError:
        Shards(shards.folder).check()
        raise
    optimizer.finalize_variable_values(model.trainable_variables)
    return History(*np.concatenate(history).T)
