"""``python -m lstm_mnist predict``: read a folder of pictures."""

import csv
import sys

from .. import load_pretrained
from ..bigger.export import predict_folder


def predict(folder, name):
    """A line of CSV for each picture of ``folder``; what cannot be read is named on the error output."""
    rows = predict_folder(load_pretrained(name), folder)
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["file", "digit", "probability"])
    for file, digit, probability in rows:
        if digit is None:
            print(f"{file}: {probability}", file=sys.stderr)
        else:
            table.writerow([file, digit, f"{probability:.3f}"])
    if None in [row[1] for row in rows]:
        raise SystemExit(1)
