"""Files that are whole or not there: written all or nothing, and refused where they are damaged."""

import contextlib
import os
import tempfile
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
    ``path`` for any ``OSError`` on the way.
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


def read_npz(path, names, remedy):
    """The arrays of those ``names`` in an ``.npz`` file, a dict; never a pickle.

    Raises ``DataError`` where the file is missing or damaged, or lacks one of them.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name]) for name in names}  # a member that is no array comes as bytes
    except FileNotFoundError:
        raise DataError(f"{path} is missing: {remedy}") from None
    except Exception as error:  # damaged bytes make zipfile, zlib and numpy raise nearly anything
        raise DataError(f"{path} cannot be read ({type(error).__name__}: {error}): {remedy}") from error
