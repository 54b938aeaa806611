"""Files that are whole or not there: written all or nothing, and refused where they are damaged."""

import contextlib
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from .checks import check_path


class DataError(ValueError):
    """A data or weights file that cannot be used; the message names the file, the fault and the remedy."""


@contextlib.contextmanager
def all_or_nothing(path):
    """A context: write to the path it gives, a file or a folder; where that ends well, it takes the place of ``path``.

    Until then ``path`` stays as it was, and after a failure nothing is left beside it. What is written lies in a hidden
    folder ``.unfinished-…`` in the folder of ``path``, under the name of ``path``; a killed process leaves that behind.
    A folder replaces a folder only. Missing folders above ``path`` are made. Raises ``OSError`` with the name of
    ``path`` where it cannot be written.
    """
    path = check_path("path", path)
    place = Path(os.path.realpath(path))  # a link keeps leading there
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=place.parent, ignore_cleanup_errors=True) as hidden:
            written = Path(hidden) / place.name
            yield written
            if place.is_dir() and written.is_dir():  # which no folder can overwrite
                os.replace(place, f"{written}.old")
            os.replace(written, place)
    except OSError as error:
        raise OSError(f"{path} cannot be written ({error}): choose another path or make room") from error


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
