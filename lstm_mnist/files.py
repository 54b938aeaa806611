"""Files that are whole or not there: every file that the package keeps is written through ``all_or_nothing``."""

import contextlib
import os
import tempfile
from pathlib import Path


@contextlib.contextmanager
def all_or_nothing(path):
    """A context: write to the path it gives, a file or a folder; where that ends well, it takes the place of ``path``.

    Until then ``path`` stays as it was, and after a failure nothing is left beside it. What is written lies in a hidden
    folder ``.unfinished-…`` in the folder of ``path``, under the name of ``path``; a killed process leaves that behind.
    A folder replaces a folder only. Raises ``OSError`` with the name of ``path`` where it cannot be written.
    """
    path = Path(path)
    place = Path(os.path.realpath(path))  # a link keeps leading there
    try:
        if place.exists() and not (place.is_file() or place.is_dir()):
            raise OSError("it is neither a file nor a folder")
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=place.parent, ignore_cleanup_errors=True) as hidden:
            written = Path(hidden) / place.name
            yield written
            _move(written, place, Path(hidden) / "replaced" / place.name)
    except OSError as error:
        raise OSError(f"{path} cannot be written ({error}): choose another path or make room") from error


def _move(written, place, replaced):
    """Rename ``written`` to ``place``; a folder that is there, which no folder can overwrite, goes to ``replaced``."""
    if place.is_dir() and written.is_dir():
        replaced.parent.mkdir()
        os.replace(place, replaced)
    os.replace(written, place)
