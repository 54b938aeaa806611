"""What looks on while ``train`` works: lines of text, a progress bar, TensorBoard. None of them changes a weight."""

import importlib.util
import os
import sys

import tensorflow as tf
from tqdm import tqdm

from .checks import check_path, check_positive

NAMES = ("loss", "accuracy", "gradient_norm")


class Watcher:
    """Looks at a ``training.Run`` every ``every`` steps and after the last one.

    ``begin`` may raise, or set how far the run is; ``end`` is called in any case, whether the run got there or not.
    """

    def __init__(self, every):
        self.every = check_positive("every", every)

    def begin(self, run):
        pass

    def next_stop(self, done):
        """The next step, after ``done``, that ``look`` wants to see."""
        return (done // self.every + 1) * self.every

    def look(self, run):
        pass

    def end(self, run):
        pass


class Printing(Watcher):
    """The lines of 2019: loss and accuracy of the batch just trained on, measured after the update.

    At step 1, every ``every`` steps, and at the last step.
    """

    def __init__(self, every=1000):
        super().__init__(every)

    def next_stop(self, done):
        return super().next_stop(done) if done else 1

    def look(self, run):
        loss, accuracy = run.measure_last_batch()
        tqdm.write(f"Step {run.done}, Loss= {loss:.4f}, Training Accuracy= {accuracy:.3f}")

    def end(self, run):
        if run.done == run.steps:
            tqdm.write("Optimization Finished!")


class ProgressBar(Watcher):
    """A bar of the steps taken, on the error output; none where the environment says ``LSTM_MNIST_PROGRESS=0``."""

    def __init__(self):
        super().__init__(every=50)
        self.bar = None

    def begin(self, run):
        off = os.environ.get("LSTM_MNIST_PROGRESS", "1") == "0" or getattr(sys.stderr, "closed", True)
        self.bar = tqdm(total=run.steps, initial=run.done, unit="step", leave=False, disable=off)

    def look(self, run):
        self.bar.update(run.done - self.bar.n)

    def end(self, run):
        if self.bar is not None:
            self.bar.close()


class TensorBoard(Watcher):
    """Each step's loss, accuracy and gradient norm in ``folder``, for TensorBoard; ``ImportError`` without it."""

    def __init__(self, folder):
        super().__init__(every=50)
        if not importlib.util.find_spec("tensorboard"):
            raise ImportError("TensorBoard does not come with TensorFlow: pip install -e '.[tensorboard]' in the clone")
        self.folder = str(check_path("folder", folder))

    def begin(self, run):
        self.writer, self.written = tf.summary.create_file_writer(self.folder), run.done

    def look(self, run):
        with self.writer.as_default():
            for step in range(self.written, run.done):
                for name, value in zip(NAMES, run.measured[step], strict=True):
                    tf.summary.scalar(name, value, step + 1)
        self.writer.flush()
        self.written = run.done
