"""Child processes: they take orders, are quoted when they fail, and never outlive the process that started them."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

if sys.platform == "linux":
    import fcntl


class ChildError(RuntimeError):
    """A child process ended where it should have answered; the message is its last word."""


class Child:
    """A process that runs ``command``, as a context; ``environment`` changes variables for it.

    It takes orders from its standard input and answers on its standard output, a line of JSON each. What it writes to
    its error output is kept for ``last_word``. When this process ends, however it does, its input ends; on Linux the
    child ends at once too, elsewhere as soon as it reads that or has called ``end_with_parent``.
    """

    def __init__(self, command, environment=()):
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.started = time.perf_counter()
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._errors, "text": True}
        options["env"] = os.environ | dict(environment)
        options["start_new_session"] = True  # Ctrl-C reaches this process alone, which ends the others
        self._lifeline = None
        if sys.platform == "linux":
            self.process, self._lifeline = _tied(command, options)
        else:
            self.process = subprocess.Popen(command, **options)

    def ask(self, order):
        """Send an order and wait for the answer."""
        self.tell(order)
        return self.answer()

    def tell(self, order):
        """Send an order, and go on."""
        with contextlib.suppress(BrokenPipeError):  # ``answer`` says why
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()

    def answer(self):
        """The next answer; raises ``ChildError`` where the child has ended."""
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise ChildError(self.last_word())
        return json.loads(line)

    def last_word(self):
        """The last line of its error output."""
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1] if lines else "no word"

    def stop(self):
        """End it if it has not ended, and wait until it has."""
        self.process.kill()
        with contextlib.suppress(BrokenPipeError):  # an order that it never read
            self.process.communicate()
        self._errors.close()
        if self._lifeline:
            self._lifeline.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def _tied(command, options):
    """A process that SIGIO ends when the file that comes with it closes: even while Python is held up there."""
    end, ours = os.pipe()
    lifeline = open(ours, "wb")  # noqa: SIM115
    try:
        process = subprocess.Popen(command, pass_fds=[end], **options)
        fcntl.fcntl(end, fcntl.F_SETOWN, process.pid)
        fcntl.fcntl(end, fcntl.F_SETFL, fcntl.fcntl(end, fcntl.F_GETFL) | os.O_ASYNC)
    finally:
        os.close(end)
    return process, lifeline


# --- in the child --------------------------------------------------------------------------------------------------


def end_with_parent():
    """End this process when its standard input ends: for a child that takes no orders and gives no answers."""
    os.dup2(2, 1)

    def watch():
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def peak_memory(process="self"):
    """The largest resident size of a process (its number) so far, in MB; ``None`` where that cannot be read."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024  # not inherited from its parent, as ru_maxrss is
    except (OSError, IndexError):
        return None
