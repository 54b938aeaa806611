"""The ledger: every long run of a recipe, one row a seed, with the command that makes it again."""

import csv
from pathlib import Path

from ..files import all_or_nothing

LEDGER = Path(__file__).parents[1] / "weights" / "ledger.csv"


def read_table(path):
    """The rows of a CSV file, one dict of strings each."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def write_table(path, rows):
    """Write the dicts ``rows``, which have the same keys, as the CSV file ``path``, all or nothing."""
    with all_or_nothing(path) as beside, open(beside, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_ledger(name):
    """The long runs of recipe ``name``, one dict of strings a seed, as written by ``make weights``."""
    rows = [row for row in read_table(LEDGER) if row["name"] == name]
    if not rows:
        raise ValueError(f"{LEDGER} has no run named {name!r}: make it with `make weights`")
    return rows
