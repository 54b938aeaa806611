"""Starts a child that nobody can wake up, as TensorFlow waits for lost workers; prints its number and waits for it."""

import signal
import sys

from lstm_mnist.processes import Child

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where pytest itself was started in the background
HELD_UP = """
import ctypes, os
from lstm_mnist.processes import end_with_parent
end_with_parent()
print(os.getpid(), flush=True)
ctypes.PyDLL(None).sleep(600)  # with Python's lock in hand
"""
with Child([sys.executable, "-c", HELD_UP]) as child:
    print(child.answer(), flush=True)
    child.process.wait()
