"""Starts a child that nobody can wake up, as TensorFlow waits for lost workers; prints its number and waits for it."""

import importlib.util
import signal
import sys

sys.path.append(importlib.util.find_spec("lstm_mnist").submodule_search_locations[0])
from processes import Child  # alone: the whole package would bring TensorFlow, which takes seconds

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where pytest itself was started in the background
HELD_UP = """
import ctypes, os
from processes import end_with_parent
end_with_parent()
print(os.getpid(), flush=True)
ctypes.PyDLL(None).sleep(600)  # with Python's lock in hand
"""
with Child([sys.executable, "-c", HELD_UP], {"PYTHONPATH": sys.path[-1]}) as child:
    print(child.answer(), flush=True)
    child.wait()
