"""Starts two workers that would train for ever, and prints their numbers."""

import signal

from lstm_mnist.bigger.workers import Workers

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where pytest itself was started in the background
with Workers(2, steps=10**9, num_hidden=8) as workers:
    print(*(process.pid for process in workers.processes), flush=True)
    workers.wait()
