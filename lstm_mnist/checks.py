"""What a value has to be, checked before any work starts: the errors name the value and the remedy."""

import numbers
import os
from pathlib import Path

import numpy as np

LARGEST_INT32 = 2**31 - 1  # of most sizes in TensorFlow
LARGEST_SEED = 2**32 - 1  # of NumPy's and Keras's generators


def check_whole(name, value, least, most):
    """``value`` as an ``int``, which no product overflows; ``ValueError`` unless it is whole, ``least`` to ``most``."""
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_whole or not least <= value <= most:
        upwards = f"of at least {least}" if most == LARGEST_INT32 else f"from {least} to {most}"
        raise ValueError(f"{name} is {value!r}: use a whole number {upwards}")
    return int(value)


def check_positive(name, value):
    """``value`` as an ``int``; ``ValueError`` unless it is a whole number of at least 1, and an int32."""
    return check_whole(name, value, 1, LARGEST_INT32)


def check_seed(value):
    """``value`` as an ``int``; ``ValueError`` unless a random generator takes it."""
    return check_whole("seed", value, 0, LARGEST_SEED)


def check_range(start, stop):
    """``start`` and ``stop`` as ``int``; ``ValueError`` unless whole numbers, ``0 <= start < stop``."""
    start = check_whole("start", start, 0, 2**63 - 2)
    return start, check_whole("stop", stop, start + 1, 2**63 - 1)


def check_number(name, value, most, zero=False):
    """``value`` as a ``float``; ``ValueError`` unless it is a number over 0, or ``zero`` itself, up to ``most``."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= most or (value == 0 and not zero):
        raise ValueError(f"{name} is {value!r}: use a number {'from' if zero else 'over'} 0, up to {most:g}")
    return float(value)


def check_function(name, value):
    """Raise ``TypeError`` for what cannot be called."""
    if not callable(value):
        raise TypeError(f"{name} is {value!r}: give a function")


def check_path(name, value):
    """``value`` as a ``Path``; ``TypeError`` for anything but a text or a path."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} is {value!r}: give a path, such as 'digits'")
    return Path(value)


def is_float(dtype):
    """Whether NumPy's or TensorFlow's ``dtype`` is a floating-point type; bfloat16, which NumPy does not know, is."""
    return _name(dtype).startswith(("float", "bfloat"))


def _name(dtype):
    return getattr(dtype, "name", str(dtype))


def check_images(images):
    """Raise ``ValueError`` unless uint8, or float in 0..1, of shape ``[n >= 1, rows, columns]``."""
    if not hasattr(images, "shape") or not hasattr(images, "dtype"):
        raise ValueError(f"images are of type {type(images).__name__}: give a NumPy array [n, rows, columns]")
    shape = tuple(images.shape)
    if len(shape) != 3:
        raise ValueError(
            f"images have shape {shape}: expected [batch, rows, columns], such as [128, 28, 28]; "
            "for one image use images[None], for flat ones reshape(-1, 28, 28)"
        )
    if 0 in shape:
        raise ValueError(f"images have shape {shape}: give at least one image")
    if images.dtype == np.uint8:
        return
    if not is_float(images.dtype):
        raise ValueError(f"images have dtype {_name(images.dtype)}: use uint8 in 0..255 or float in 0..1")
    values = np.asarray(images)
    low, high = float(values.min()), float(values.max())
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
