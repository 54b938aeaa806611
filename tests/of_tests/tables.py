"""Tables that the commands of this folder keep: CSV files, and their summaries in ``README.md``."""

import csv
import re
from pathlib import Path

FOLDER = Path(__file__).parent
README = FOLDER / "README.md"


def read(path):
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_rows(path, columns, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def put_table(name, rows, columns):
    """Set ``columns`` of the dicts ``rows``, as a table, between the two comments in ``README.md`` with that name."""
    lines = [f"| {' | '.join(columns)} |", f"| --- |{' ---: |' * (len(columns) - 1)}"]
    lines += [f"| {' | '.join(str(row[column]) for column in columns)} |" for row in rows]
    text = README.read_text(encoding="utf-8")
    table = "\n".join([f"<!-- {name} -->", *lines, f"<!-- /{name} -->"])
    README.write_text(re.sub(f"<!-- {name} -->.*<!-- /{name} -->", lambda _: table, text, flags=re.S), encoding="utf-8")
