"""A child that gives each order back twice, after chatter that is no answer; "fail" is its last order."""

import importlib.util
import sys
from pathlib import Path

sys.path.append(str(Path(importlib.util.find_spec("lstm_mnist").origin).parent / "commands"))
from peers import answers  # alone: the whole package would bring TensorFlow, which takes seconds

orders, answer = answers()
for order in orders:
    print("chatter")
    if order == "fail":
        raise ValueError("an order to fail")
    answer([order, order])
