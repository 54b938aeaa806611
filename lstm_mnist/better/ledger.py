"""The ledger: every long run of a recipe, one row a seed, with its command."""

import csv
from pathlib import Path

from ..files import DataError, all_or_nothing

LEDGER = Path(__file__).parents[1] / "weights" / "ledger.csv"

TEXTS = ("name", "versions", "command")  # every other column of a table holds numbers, or True and False


def read_ledger(name, path=LEDGER):
    """The long runs of recipe ``name``, a dict a seed, as written by ``make weights``.

    ``validation_accuracy`` and ``test_accuracy`` are shares of 1, ``parameters`` is how many weights the network has,
    ``seconds`` how long it took, training and reading 15,000 images; in a row of several together all theirs. Of older
    runs ``validation_loss``, in nats, is not known: nan. Raises ``ValueError`` where there is no such run.
    """
    rows = [row for row in read_table(path) if row.get("name") == name]
    if not rows:
        raise ValueError(f"{path} has no run named {name!r}: make it with `make weights`")
    return rows


def read_table(path):
    """The rows of a CSV file that ``write_table`` wrote, a dict each.

    Raises ``DataError`` with the file's name and line for what is no such table.
    """
    line = 0
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:  # a mark of Excel's in front is none of ours
            reader = csv.DictReader(file, strict=True)
            rows = []
            for row in reader:
                line = reader.line_num
                rows.append({column: _value(column, text) for column, text in row.items()})
    except (OSError, ValueError, SyntaxError, TypeError, csv.Error) as error:
        raise DataError(f"{path}, line {line}, cannot be read ({error}): restore it from the repository") from error
    return rows


def _value(column, text):
    if text is None or column is None:
        raise ValueError("it has more or fewer values than there are columns")
    if column in TEXTS:
        return text
    if text in ("True", "False"):
        return text == "True"
    try:
        return float(text) if set(text) & set(".en") else int(text)
    except ValueError:
        raise ValueError(f"{column} is {text!r}, no number") from None


def write_table(path, rows):
    """Write ``rows``, at least one dict, as the CSV file ``path``, all or nothing.

    Raises ``ValueError`` where keys differ, or for a value that could not be read again.
    """
    if not rows:
        raise ValueError(f"{path}: there is no row to write")
    for row in rows:
        for column, value in row.items():
            _value(column, str(value))  # what could not be read again
        if row.keys() != rows[0].keys():
            raise ValueError(f"{path}: a row has the columns {list(row)}, the first one {list(rows[0])}")
    with all_or_nothing(path) as beside, open(beside, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
