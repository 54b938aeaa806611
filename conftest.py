"""nbval compares the decimals of a tagged cell within a stated tolerance; under test nothing draws a progress bar.

Cell tags: ``nbval-atol-0.01`` (absolute) and ``nbval-rtol-0.1`` (relative). Whole numbers, words, layout and the number
of outputs are compared exactly everywhere, and so are the decimals of a cell without such a tag. Where the environment
names a file in ``NBVAL_NOISE_FILE``, each tagged cell adds a line of JSON to it: how far it was from what is stored.
"""

import copy
import json
import math
import os
import re
from itertools import zip_longest

from nbval.plugin import IPyNbCell

os.environ["LSTM_MNIST_PROGRESS"] = "0"

TAG = re.compile(r"nbval-([ar]tol)-(\d+(?:\.\d+)?(?:e-?\d+)?)")
DECIMAL = re.compile(r"(?<![\w.])[-+]?\d+\.\d+(?:[eE][-+]?\d+)?(?![\w]|\.\d)")


def take_stored_decimals(new, stored, atol, rtol):
    """``new`` with each decimal that lies within the tolerance of ``stored``'s written as there."""
    wanted = DECIMAL.findall(stored)
    if len(DECIMAL.findall(new)) != len(wanted):
        return new
    wanted = iter(wanted)

    def pick(match):
        want = next(wanted)
        return want if math.isclose(float(match[0]), float(want), rel_tol=rtol, abs_tol=atol) else match[0]

    return DECIMAL.sub(pick, new)


def largest_part(new, stored, atol, rtol):
    """The largest difference between decimals at the same place, as a part of what is allowed there; infinite where
    they are not equally many."""
    new, stored = ([float(number) for number in DECIMAL.findall(text)] for text in (new, stored))
    if len(new) != len(stored):
        return math.inf
    pairs = [pair for pair in zip(new, stored, strict=True) if pair[0] != pair[1]]
    return max((abs(a - b) / max(atol, rtol * max(abs(a), abs(b))) for a, b in pairs), default=0.0)


def pytest_itemcollected(item):
    if not isinstance(item, IPyNbCell):
        return
    tags = filter(None, (TAG.fullmatch(tag) for tag in item.cell.metadata.get("tags", [])))
    tolerance = {kind: float(value) for kind, value in (tag.groups() for tag in tags)}
    if not tolerance:
        return
    atol, rtol = tolerance.get("atol", 0.0), tolerance.get("rtol", 0.0)
    strict = item.compare_outputs

    def compare_outputs(test, ref, **kwargs):
        close, part = copy.deepcopy(test), 0.0
        for new, stored in zip_longest(close, ref, fillvalue={}):
            for ours, theirs in ((new, stored), (new.get("data", {}), stored.get("data", {}))):
                for key in ours:
                    if key in theirs and (key == "text" or key.startswith("text/")):
                        part = max(part, largest_part(ours[key], theirs[key], atol, rtol))
                        ours[key] = take_stored_decimals(ours[key], theirs[key], atol, rtol)
        if noise_file := os.environ.get("NBVAL_NOISE_FILE"):
            with open(noise_file, "a", encoding="utf-8") as file:
                print(json.dumps({"cell": item.nodeid, "part": part}), file=file)
        return strict(close, ref, **kwargs) or strict(test, ref, **kwargs)  # the second shows the true values

    item.compare_outputs = compare_outputs
