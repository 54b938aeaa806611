"""MNIST as sequences: 28 rows of 28 pixels, embedded in the package and verified before use."""

import functools
import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .checks import check_images, check_labels, check_path, check_positive, check_range, check_seed, check_whole
from .files import DataError, read_npz

MNIST_FILE = Path(__file__).with_name("mnist.npz")

#: SHA-256 of the four official IDX files, uncompressed, header included.
OFFICIAL_DIGESTS = {
    "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MAX_CLASSES = 256  # labels are kept as uint8
IDX_UINT8 = 0x08  # the type code in the third byte of an IDX file


class Split:
    """Images uint8 ``[n, rows, columns]`` with their labels uint8 ``[n]``, dealt in shuffled batches.

    Raises ``ValueError`` for arrays of another type, rank or length, labels outside ``0..num_classes-1``, or more than
    256 classes.
    """

    def __init__(self, images, labels, num_classes=10):
        self.num_classes = check_whole("num_classes", num_classes, 1, MAX_CLASSES)
        check_images(images)
        if images.dtype != np.uint8:
            raise ValueError(f"images have dtype {images.dtype}: a Split keeps them as uint8, 0..255")
        check_labels(labels, len(images), self.num_classes)
        self.images, self.labels = np.asarray(images), np.array(labels, np.uint8)
        self.labels.flags.writeable = False  # they stay as they were checked
        self.shape, self.largest_label = self.images.shape[1:], int(self.labels.max())
        self._dealt = 0  # how many examples ``next_batch`` has given out

    def __len__(self):
        return len(self.labels)

    def __repr__(self):
        return f"Split({len(self):,} images of {self.images.shape[1]} x {self.images.shape[2]})"

    def batch_indices(self, n, batch_size=128, seed=0):
        """Indices int64 ``[batch_size]`` of batch ``n`` = 0, 1, …; a pure function of the three arguments.

        The examples are shuffled anew each epoch; an epoch's remainder opens the next epoch's first batch.
        """
        n = check_whole("n", n, 0, 2**63 - 1)
        batch_size = check_positive("batch_size", batch_size)
        return self._examples(n * batch_size, batch_size, check_seed(seed))

    def batches(self, start, stop, batch_size, seed):
        """Batches ``start … stop-1``: images uint8 ``[stop - start, batch_size, *shape]`` and labels.

        ``train`` asks for these; the model scales them.
        """
        start, stop = check_range(start, stop)
        indices = np.stack([self.batch_indices(n, batch_size, seed) for n in range(start, stop)])
        return self.images[indices], self.labels[indices]

    def fingerprint(self):
        """What tells it from others, for ``Checkpoints``: a list of numbers."""
        return [len(self), *(zlib.crc32(np.ascontiguousarray(array)) for array in (self.images, self.labels))]

    def next_batch(self, batch_size=128):
        """The next batch: rows float32 ``[batch_size, rows, columns]`` in 0..1, labels int64 ``[batch_size]``."""
        batch_size = check_positive("batch_size", batch_size)
        indices = self._examples(self._dealt, batch_size, seed=0)
        self._dealt += batch_size
        return scale(self.images[indices]), self.labels[indices].astype(np.int64)

    def _examples(self, start, count, seed):
        """Examples ``start … start+count-1`` of one shuffled epoch after the other, without end."""
        indices = np.empty(count, np.int64)
        done = 0
        while done < count:
            epoch, place = divmod(start + done, len(self))  # the epoch, and how far it is dealt
            piece = _shuffled(len(self), seed, epoch)[place : place + count - done]  # at most to the epoch's end
            indices[done : done + len(piece)] = piece
            done += len(piece)
        return indices


@functools.lru_cache(maxsize=4)
def _shuffled(num_examples, seed, epoch):
    """The order of one epoch, which depends on these numbers alone; the four orders used last are kept."""
    return np.random.default_rng([seed, epoch]).permutation(num_examples)


def scale(images):
    """uint8 0..255 to float32 0..1."""
    return images.astype(np.float32) / np.float32(255)


class MNIST(NamedTuple):
    """The three splits: 55,000 to learn from, 5,000 to choose by, 10,000 to report on."""

    train: Split
    validation: Split
    test: Split


def load_mnist():
    """MNIST as in 2019: validation is the first 5,000 of the 60,000 training images. Read and verified once.

    Raises ``DataError`` where the embedded file is missing or differs from the official one
    (LeCun, Cortes and Burges, *The MNIST database of handwritten digits*).
    """
    return _splits(*_embedded_mnist(), num_classes=10, validation_size=5000)


@functools.cache
def _embedded_mnist():
    return read_mnist(MNIST_FILE)


def read_mnist(path):
    """The arrays x_train, y_train, x_test and y_test of an ``.npz`` file; ``DataError`` unless they are MNIST's."""
    remedy = "reinstall lstm_mnist or restore the file from the repository"
    arrays = read_npz(path, OFFICIAL_DIGESTS, remedy)
    for name, official in OFFICIAL_DIGESTS.items():
        digest = _idx_digest(arrays[name])
        if arrays[name].dtype != np.uint8 or digest != official:
            raise DataError(
                f"{path}: array {name} is not MNIST's: its SHA-256 is {digest}, the official one {official}; {remedy}"
            )
        arrays[name].flags.writeable = False
    return tuple(arrays[name] for name in OFFICIAL_DIGESTS)


def _idx_digest(array):
    """SHA-256 of the IDX file that would hold the array."""
    digest = hashlib.sha256(struct.pack(f">HBB{array.ndim}I", 0, IDX_UINT8, array.ndim, *array.shape))
    digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def load_idx(folder, num_classes=10, validation_size=5000):
    """Any data set in MNIST's four IDX files, gzipped or not, as the same three splits.

    ``folder`` holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
    ``t10k-labels-idx1-ubyte``, each with or without ``.gz``. The first ``validation_size`` training images become the
    validation split. Raises ``DataError`` for a missing, damaged or mismatched file, ``ValueError`` or ``TypeError``
    for impossible arguments.
    """
    folder = check_path("folder", folder)
    num_classes = check_whole("num_classes", num_classes, 1, MAX_CLASSES)
    x_train, y_train = _read_pair(folder, "train", num_classes)
    x_test, y_test = _read_pair(folder, "t10k", num_classes)
    if x_train.shape[1:] != x_test.shape[1:]:
        raise DataError(
            f"{folder}: the training images are {x_train.shape[1:]} and the test images {x_test.shape[1:]}: "
            "take both from the same data set"
        )
    validation_size = check_whole("validation_size", validation_size, 1, len(x_train) - 1)
    return _splits(x_train, y_train, x_test, y_test, num_classes, validation_size)


def _splits(x_train, y_train, x_test, y_test, num_classes, validation_size):
    cut = validation_size
    return MNIST(
        train=Split(x_train[cut:], y_train[cut:], num_classes),
        validation=Split(x_train[:cut], y_train[:cut], num_classes),
        test=Split(x_test, y_test, num_classes),
    )


def _read_pair(folder, part, num_classes):
    """The images and the labels of one part of an IDX data set."""
    images_path = _find_idx(folder, f"{part}-images-idx3-ubyte")
    labels_path = _find_idx(folder, f"{part}-labels-idx1-ubyte")
    images, labels = read_idx(images_path, num_dims=3), read_idx(labels_path, num_dims=1)
    if len(images) != len(labels):
        raise DataError(
            f"{images_path.name} holds {len(images)} images but {labels_path.name} {len(labels)} labels: "
            "take both from the same data set"
        )
    if labels.max() >= num_classes:
        raise DataError(
            f"{labels_path} holds labels {labels.min()}..{labels.max()}: say num_classes={labels.max() + 1}"
        )
    return images, labels


def _find_idx(folder, name):
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(f"{folder} holds neither {name} nor {name}.gz: put the four IDX files of the data set there")


def read_idx(path, num_dims):
    """uint8 array of one IDX file: 0, 0, type, rank, then big-endian 32-bit dimensions, then the values.

    Raises ``DataError`` for a file of another kind, or one that does not hold what it announces.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            content = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): fetch it again") from error
    magic, start = bytes([0, 0, IDX_UINT8, num_dims]), 4 + 4 * num_dims
    if content[:4] != magic or len(content) < start:
        raise DataError(
            f"{path} starts with {content[:start].hex()}, not {magic.hex()} and {num_dims} dimensions (IDX, uint8): "
            "it is another kind of file, perhaps a saved error page; fetch it again"
        )
    shape = struct.unpack(f">{num_dims}I", content[4:start])
    if math.prod(shape) != len(content) - start or 0 in shape:
        raise DataError(f"{path} announces {shape} but holds {len(content) - start} bytes of values: fetch it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
