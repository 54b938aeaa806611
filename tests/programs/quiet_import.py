"""Import the package, then say how many threads TensorFlow will use: 0, its own choice, while nothing has run."""

# isort: off
import lstm_mnist  # noqa: F401
import tensorflow as tf
from tensorflow.python.eager import context

assert context._context is None or not context._context._initialized, "runtime initialised"
tf.config.threading.set_intra_op_parallelism_threads(1)  # raises once the runtime is initialised
print(tf.config.threading.get_inter_op_parallelism_threads())
