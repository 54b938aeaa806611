"""MNIST as sequences: 28 rows of 28 pixels, embedded in the package and verified before use."""

import functools
import gzip
import hashlib
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

MNIST_FILE = Path(__file__).with_name("mnist.npz")

#: SHA-256 of the four official IDX files, uncompressed, header included.
OFFICIAL_DIGESTS = {
    "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
IDX_UINT8 = 0x08  # the type code in the third byte of an IDX file
MAX_IDX_BYTES = 1_000_000_000  # the largest of MNIST's relatives, EMNIST by class, has 640 million pixels


class DataError(ValueError):
    """A data or weights file that cannot be used; the message names the file, the fault and the remedy."""


class Split:
    """Images uint8 ``[n, rows, columns]`` with their labels uint8 ``[n]``, dealt in shuffled batches.

    Raises ``ValueError`` for arrays of another type, rank or length, or labels outside ``0..num_classes-1``.
    """

    def __init__(self, images, labels, num_classes=10, seed=0):
        check_images(images)
        if images.dtype != np.uint8:
            raise ValueError(f"images have dtype {images.dtype}: a Split keeps them as uint8, 0..255")
        check_labels(labels, len(images), num_classes)
        self.images, self.labels = images, np.asarray(labels, np.uint8)
        self.num_classes, self.seed = num_classes, seed
        self._dealt = 0

    def __len__(self):
        return len(self.labels)

    def __repr__(self):
        return f"Split({len(self):,} images of {self.images.shape[1]} x {self.images.shape[2]})"

    def batch_indices(self, n, batch_size=128, seed=0):
        """Indices int64 ``[batch_size]`` of batch ``n`` = 0, 1, …; a pure function of ``(seed, n)``.

        The examples are shuffled anew each epoch; an epoch's remainder opens the next epoch's first batch.
        """
        check_positive("batch_size", batch_size)
        return self._deal(n * batch_size, batch_size, seed)

    def next_batch(self, batch_size=128):
        """The next batch: rows float32 ``[batch_size, rows, columns]`` in 0..1, labels int64 ``[batch_size]``."""
        check_positive("batch_size", batch_size)
        indices = self._deal(self._dealt, batch_size, self.seed)
        self._dealt += batch_size
        return scale(self.images[indices]), self.labels[indices].astype(np.int64)

    def _deal(self, start, count, seed):
        """Examples ``start … start+count-1`` of the endless row of shuffled epochs."""
        epochs, places = np.divmod(np.arange(start, start + count), len(self))
        indices = np.empty(count, np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            indices[here] = _shuffled(len(self), seed, int(epoch))[places[here]]
        return indices


class MNIST(NamedTuple):
    """The three splits: 55,000 to learn from, 5,000 to choose by, 10,000 to report on."""

    train: Split
    validation: Split
    test: Split


@functools.lru_cache(maxsize=4)
def _shuffled(num_examples, seed, epoch):
    return np.random.default_rng([seed, epoch]).permutation(num_examples)


def scale(images):
    """uint8 0..255 to float32 0..1."""
    return images.astype(np.float32) / np.float32(255)


def load_mnist():
    """MNIST as in 2019: validation is the first 5,000 of the 60,000 training images. Read and verified once.

    Raises ``DataError`` where the embedded file is missing or differs from the official one
    (LeCun, Cortes and Burges, *The MNIST database of handwritten digits*).
    """
    return _splits(*_read_mnist(), num_classes=10, validation_size=5000)


@functools.cache
def _read_mnist():
    remedy = "reinstall lstm_mnist or restore the file from the repository"
    arrays = read_npz(MNIST_FILE, set(OFFICIAL_DIGESTS), max_bytes=60_000_000, remedy=remedy)
    for name, official in OFFICIAL_DIGESTS.items():
        array = np.ascontiguousarray(arrays[name])
        digest = hashlib.sha256(struct.pack(f">HBB{array.ndim}I", 0, IDX_UINT8, array.ndim, *array.shape))
        digest.update(array)
        if array.dtype != np.uint8 or digest.hexdigest() != official:
            raise DataError(
                f"{MNIST_FILE}: array {name} is not MNIST's: its SHA-256 is {digest.hexdigest()}, "
                f"the official one {official}; {remedy}"
            )
        array.flags.writeable = False
    return tuple(arrays[name] for name in OFFICIAL_DIGESTS)


def load_idx(folder, num_classes=10, validation_size=5000):
    """Any data set in MNIST's four IDX files, gzipped or not, as the same three splits.

    ``folder`` holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
    ``t10k-labels-idx1-ubyte``, each with or without ``.gz``. The first ``validation_size`` training images become
    the validation split. Raises ``DataError`` for a missing, truncated or mismatched file.
    """
    folder = Path(folder)
    names = [f"{part}-{what}" for part in ("train", "t10k") for what in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    paths = [_find_idx(folder, name) for name in names]
    arrays = [_read_idx(path, num_dims) for path, num_dims in zip(paths, (3, 1, 3, 1), strict=True)]
    for images, labels in ((0, 1), (2, 3)):
        if len(arrays[images]) != len(arrays[labels]):
            raise DataError(
                f"{paths[images].name} holds {len(arrays[images])} images but {paths[labels].name} "
                f"{len(arrays[labels])} labels: take both from the same data set"
            )
    if not 0 < validation_size < len(arrays[0]):
        raise DataError(f"validation_size is {validation_size}: choose 1..{len(arrays[0]) - 1} of the training images")
    return _splits(*arrays, num_classes, validation_size)


def _splits(x_train, y_train, x_test, y_test, num_classes, validation_size):
    cut = validation_size
    return MNIST(
        train=Split(x_train[cut:], y_train[cut:], num_classes),
        validation=Split(x_train[:cut], y_train[:cut], num_classes),
        test=Split(x_test, y_test, num_classes),
    )


def _find_idx(folder, name):
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(f"{folder} holds neither {name} nor {name}.gz: put the four IDX files of the data set there")


def _read_idx(path, num_dims):
    """uint8 array of one IDX file: 0, 0, type, rank, then big-endian 32-bit dimensions, then the values."""
    header = 4 + 4 * num_dims
    magic = struct.pack(">HBB", 0, IDX_UINT8, num_dims)
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            start = file.read(header)
            if len(start) < header or start[:4] != magic:
                raise DataError(
                    f"{path} starts with {start[:4].hex()}, not {magic.hex()} (IDX, uint8, {num_dims} dimensions): "
                    "it is another kind of file, perhaps a saved error page; fetch it again"
                )
            shape = struct.unpack(f">{num_dims}I", start[4:])
            if math.prod(shape) > MAX_IDX_BYTES:
                raise DataError(f"{path} announces {shape}, more than {MAX_IDX_BYTES} bytes: it would fill the memory")
            values = file.read(math.prod(shape) + 1)  # one more than announced: no gzip bomb is unpacked to its end
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): fetch it again") from error
    if len(values) != math.prod(shape):
        less = f"only {len(values)}" if len(values) < math.prod(shape) else "more"
        raise DataError(f"{path} announces {shape} but holds {less} bytes of values: fetch it again")
    return np.frombuffer(values, np.uint8).reshape(shape)


def read_npz(path, names, max_bytes, remedy):
    """The arrays of an ``.npz`` file as a dict; never a pickle, never more than ``max_bytes``.

    Raises ``DataError`` where it is missing, damaged, too large or holds other arrays than ``names``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename.removesuffix(".npy"): info.file_size for info in archive.infolist()}
        if set(sizes) != set(names):
            raise DataError(f"{path} holds the arrays {sorted(sizes)}, expected {sorted(names)}: {remedy}")
        if sum(sizes.values()) > max_bytes:
            raise DataError(f"{path} would unpack to {sum(sizes.values())} bytes, over {max_bytes}: {remedy}")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in names}
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray):  # numpy hands over what is no array as it is
                raise DataError(f"{path}: {name} is no array: {remedy}")
        return arrays
    except FileNotFoundError:
        raise DataError(f"{path} is missing: {remedy}") from None
    except DataError:
        raise
    except Exception as error:  # damaged bytes make zipfile, zlib and numpy raise nearly anything
        raise DataError(f"{path} cannot be read ({type(error).__name__}: {error}): {remedy}") from error


def check_images(images):
    """Raise ``ValueError`` unless uint8, or float in 0..1, of shape ``[n >= 1, rows, columns]``."""
    shape, dtype = tuple(images.shape), np.dtype(getattr(images.dtype, "as_numpy_dtype", images.dtype))
    if len(shape) != 3:
        raise ValueError(
            f"images have shape {shape}: expected [batch, rows, columns], such as [128, 28, 28]; "
            "for one image use images[None], for flat ones reshape(-1, 28, 28)"
        )
    if 0 in shape:
        raise ValueError(f"images have shape {shape}: give at least one image")
    if dtype == np.uint8:
        return
    if dtype.kind != "f":
        raise ValueError(f"images have dtype {dtype}: use uint8 in 0..255 or float in 0..1")
    values = np.asarray(images)
    low, high = values.min(), values.max()
    if not (low >= -1e-6 and high <= 1 + 1e-6):  # also true of NaN
        raise ValueError(f"float images lie in {low:g}..{high:g}: scale them to 0..1 (divide by 255), without NaN")


def check_labels(labels, num_images, num_classes):
    """Raise ``ValueError`` unless integers ``[num_images]`` in ``0..num_classes-1``."""
    labels = np.asarray(labels)
    if labels.shape != (num_images,):
        raise ValueError(f"labels have shape {labels.shape} for {num_images} images: give one label per image")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels have dtype {labels.dtype}: use integers, 0..{num_classes - 1}")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"labels lie in {labels.min()}..{labels.max()}: expected 0..{num_classes - 1}")


def check_positive(name, value):
    """Raise ``ValueError`` unless a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} is {value!r}: use a whole number of at least 1")
