"""Child processes: they take orders, are quoted when they fail, and never outlive the process that started them."""

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1  # of Linux: the signal that this process gets when the one that started it ends


class ChildError(RuntimeError):
    """A child process ended where it should have answered; the message is its last word."""


class Child(subprocess.Popen):
    """A process that runs ``command``, as a context; ``environment`` changes variables for it, None removes one.

    It takes orders from its standard input and answers on its standard output, a line of JSON each. What it writes to
    its error output is kept for ``last_word``. When this process ends, however it does, the child's input ends: it is
    to end then too, by reading it or by ``end_with_parent``.
    """

    def __init__(self, command, environment=()):
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.started = time.perf_counter()
        variables = os.environ | dict(environment)
        super().__init__(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={name: value for name, value in variables.items() if value is not None},
            start_new_session=True,  # Ctrl-C reaches this process alone, which ends the others
        )

    def ask(self, order):
        """Send an order and wait for the answer."""
        self.tell(order)
        return self.answer()

    def tell(self, order):
        """Send an order, and go on."""
        with contextlib.suppress(BrokenPipeError):  # ``answer`` says why
            self.stdin.write(json.dumps(order) + "\n")
            self.stdin.flush()

    def answer(self):
        """The next answer; raises ``ChildError`` where the child has ended."""
        line = self.stdout.readline()
        if not line:
            self.wait()
            raise ChildError(self.last_word())
        return json.loads(line)

    def last_word(self):
        """The last line of its error output."""
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1] if lines else "no word"

    def stop(self):
        """End it if it has not ended, and wait until it has."""
        self.kill()
        self.communicate()
        self._errors.close()

    def __exit__(self, *_):
        self.stop()


# --- in the child --------------------------------------------------------------------------------------------------


def end_with_parent():
    """End this process, which takes no orders, when the one that started it ends: its standard input ends then.

    On Linux the system ends it, even while Python is held up, and a parent that ended before is noticed here.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if select.select([sys.stdin], [], [], 0)[0]:  # nobody gives orders, so this is the end of the input
            os._exit(1)

    def watch():
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def peak_memory(process="self"):
    """The largest resident size of a process (its number) so far, in whole MB; ``None`` where it cannot be read."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
        return round(int(status.split("VmHWM:")[1].split()[0]) / 1024)  # not inherited from a parent, as ru_maxrss is
    except (OSError, IndexError):
        return None
