"""Import the package, then say which threads TensorFlow will use: one an operation, and how many operations at once.

That is 0, its own choice, while nothing has run.
"""

import os

# isort: off
import lstm_mnist  # noqa: F401
import tensorflow as tf
from tensorflow.python.eager import context

assert context._context is None or not context._context._initialized, "runtime initialised"
tf.config.threading.set_intra_op_parallelism_threads(1)  # raises once the runtime is initialised
print(os.environ["TF_NUM_INTRAOP_THREADS"], tf.config.threading.get_inter_op_parallelism_threads())
