"""More digits than fit into memory: TFRecord files, written and read as a stream.

A folder of shards holds ``digits-00000-of-00010.tfrecord`` and so on. A record is a digit: a byte for the label, then
the pixels; TensorFlow's format adds a checksum to each. ``shards.json`` says what the folder should hold.
"""

import contextlib
import json
import re
import zlib

import numpy as np
import tensorflow as tf

from ..checks import check_images, check_labels, check_path, check_positive, check_range, check_seed, check_whole
from ..data import MAX_CLASSES
from ..files import DataError, all_or_nothing

INDEX = "shards.json"
REMEDY = "write the shards again"


def write_shards(folder, batches, shards=10):
    """Write the pairs ``(images, labels)`` of ``batches``, an iterable, to ``shards`` files.

    Images are uint8 ``[n, rows, columns]``, labels whole numbers ``[n]``. Digits are dealt to the files in turn, and
    only one batch is held in memory. Returns the ``Shards``. The folder is there as soon as it is whole, not before.
    Raises ``ValueError`` or ``TypeError`` for impossible arrays, or a folder that is there already, ``OSError`` where
    it cannot be written.
    """
    folder = check_path("folder", folder)
    shards = check_whole("shards", shards, 1, 99_999)  # their names have five digits
    if folder.exists():
        raise ValueError(f"{folder} is there already: choose another folder for the shards")
    with all_or_nothing(folder) as beside:
        beside.mkdir()
        paths = [beside / f"digits-{k:05d}-of-{shards:05d}.tfrecord" for k in range(shards)]
        try:
            index = _write_files(paths, _pairs(batches))
        except (tf.errors.OutOfRangeError, tf.errors.ResourceExhaustedError) as error:  # no room for a file
            raise OSError(error.message) from error
        index["files"] = {}
        for k, path in enumerate(paths):
            dealt = range(k, index["total"], shards)
            index["files"][path.name] = {"digits": len(dealt)} | _marks(path)
        (beside / INDEX).write_text(json.dumps(index | {"seal": _seal(index)}, indent=1))
    return Shards(folder)


def _pairs(batches):
    """The batches one by one, once they are seen to be pairs."""
    for batch in batches if hasattr(batches, "__iter__") else [batches]:
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise TypeError(
                f"batches hold a {type(batch).__name__}: give pairs (images, labels), such as [(images, labels)]"
            )
        yield batch


def _write_files(paths, pairs):
    """The files. Returns what is known of all digits: how many, their shape, largest label and checksum."""
    shape, total, largest, checksum = None, 0, 0, 0
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(tf.io.TFRecordWriter(str(path))) for path in paths]
        for images, labels in pairs:
            check_images(images)
            check_labels(labels, len(images), MAX_CLASSES)
            shape = shape or tuple(images.shape[1:])
            if images.dtype != np.uint8 or images.shape[1:] != shape:
                raise ValueError(f"a batch holds {images.dtype} {images.shape[1:]}, not uint8 {shape}")
            pixels = np.asarray(images).reshape(len(images), -1)
            records = np.concatenate([np.asarray(labels, np.uint8)[:, None], pixels], axis=1)
            for record in records:
                writers[total % len(writers)].write(record.tobytes())
                total += 1
            largest, checksum = max(largest, int(records[:, 0].max())), zlib.crc32(records, checksum)
    if not total:
        raise ValueError("there is no batch to write: give at least one")
    return {"shape": shape, "total": total, "largest_label": largest, "checksum": checksum}


def _marks(path):
    """A file's size, and the checksum of its first digits, which tells it from its siblings and from other writings."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "begin": zlib.crc32(file.read(65_536))}


def _seal(index):
    return zlib.crc32(json.dumps(index).encode())


def _check_file(path, expected, number):
    if not path.is_file():
        raise DataError(f"{path} is missing, one of {number} shards: {REMEDY}")
    try:
        found = _marks(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}): {REMEDY}") from error
    if found["bytes"] != expected["bytes"]:
        raise DataError(f"{path} has {found['bytes']} bytes instead of {expected['bytes']}: {REMEDY}")
    if found["begin"] != expected["begin"]:
        raise DataError(f"{path} does not begin with the digits written there: it is damaged or another file; {REMEDY}")


class Shards:
    """A folder that ``write_shards`` made, a split that ``train`` takes. ``len`` is the number of digits.

    ``files`` says of each file by name how many ``digits`` and ``bytes`` it has. Raises ``DataError`` with the name of
    a file that is missing, cut short or another one; of damage in a file's middle ``batches`` and ``check`` do.
    ``buffer`` digits at a time are held in memory and shuffled.
    """

    def __init__(self, folder, buffer=10_000):
        self.folder, self.buffer = check_path("folder", folder), check_positive("buffer", buffer)
        path = self.folder / INDEX
        try:
            index = json.loads(path.read_text())
            if index.pop("seal") != _seal(index):
                raise ValueError("it was changed after the writing")
            self.shape, self.largest_label = tuple(index["shape"]), index["largest_label"]
            self.total, self.checksum, self.files = index["total"], index["checksum"], index["files"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(f"{path} cannot be read ({error!r}): {REMEDY}, into another folder") from error
        for name, file in self.files.items():
            _check_file(self.folder / name, file, len(self.files))
        self._place = None

    def __len__(self):
        return self.total

    def fingerprint(self):
        """What tells it from others: a list of numbers."""
        return [self.total, self.checksum, len(self.files), self.buffer]

    def stream(self, batch_size=128, seed=0):
        """An endless ``tf.data.Dataset`` of uint8 images ``[batch_size, *shape]`` and labels ``[batch_size]``.

        Each time through, the files are put in another order and four are read side by side; of what they give,
        ``buffer`` digits at a time are shuffled. Batch ``n`` depends on ``n``, both arguments
        and ``buffer`` alone. A file damaged in its middle ends it with TensorFlow's ``DataLossError``.
        """
        batch_size, seed = check_positive("batch_size", batch_size), check_seed(seed)
        paths = tf.constant([str(self.folder / name) for name in self.files])
        size = 1 + int(np.prod(self.shape))
        shuffled = tf.random.experimental.stateless_shuffle

        def one_time_through(epoch):
            files = tf.data.Dataset.from_tensor_slices(shuffled(paths, [seed, epoch]))
            digits = files.interleave(tf.data.TFRecordDataset, cycle_length=4)
            numbered = digits.batch(self.buffer).enumerate()
            return numbered.map(lambda n, records: decode(records, [seed, epoch * 2**32 + n]))

        def decode(records, seed):
            values = shuffled(tf.reshape(tf.io.decode_raw(records, tf.uint8), [-1, size]), seed)
            return tf.reshape(values[:, 1:], [-1, *self.shape]), values[:, 0]

        stream = tf.data.Dataset.counter().flat_map(one_time_through)
        return stream.rebatch(batch_size, drop_remainder=True).prefetch(2)

    def batches(self, start, stop, batch_size, seed):
        """Batches ``start … stop-1`` of the stream: images uint8 ``[stop - start, batch_size, *shape]`` and labels.

        Asked for one after the other they are read once; any other order reads from the stream's beginning.
        """
        start, stop = check_range(start, stop)
        goes_on = self._place == (start, batch_size, seed)
        self._place = None  # nobody knows it until all are read: Ctrl-C may come in between
        try:
            if not goes_on:
                self._reading = iter(self.stream(batch_size, seed).skip(start))
            images, labels = zip(*(next(self._reading) for _ in range(start, stop)), strict=True)
        except tf.errors.OpError:
            Shards(self.folder).check()
            raise
        self._place = stop, batch_size, seed
        return np.stack(images), np.stack(labels)

    def check(self):
        """Read every record; raise ``DataError`` with the name of the first file that is damaged."""
        for name in self.files:
            path = self.folder / name
            try:
                for _ in tf.data.TFRecordDataset(str(path)):
                    pass
            except tf.errors.OpError as error:
                place = re.search(r"\w+ record at \d+", error.message)
                raise DataError(f"{path} is damaged ({place[0] if place else error.message}): {REMEDY}") from error
