"""The LSTM's arithmetic, arranged for speed: one fused product a row, and a backward pass written by hand.

Equal to the plain loop of ``lstm.LSTM`` up to rounding. What makes it fast:

- ``sigmoid(z) = ½ + ½ tanh(z / 2)``: with the weights of i, f and o halved beforehand, one ``tanh`` serves all four
  gates, and TensorFlow fuses product, bias and ``tanh`` into one operation;
- row and old ``h`` are joined, so that a row needs one product, not two;
- the backward pass keeps every row's gradient and forms the weights' gradient of many rows as one product;
- the batch is cut in two halves: two chains of operations that TensorFlow runs side by side.

The rows stand in the graph one after the other, which is fast, but 784 of them would take minutes to build and
gigabytes to hold. More rows than ``ROWS_A_BLOCK`` therefore go round a loop, a block a turn; between the turns only
``x``, ``h`` and ``c`` are kept, and the backward pass computes the rest of a block anew: a quarter more time, and
memory that hardly grows.
"""

import functools

import numpy as np
import tensorflow as tf

ROWS_A_BLOCK = 28  # rows without a loop: an MNIST digit
ROWS_A_PRODUCT = 4  # rows whose weight gradients form one product: what still fits into a core's cache


def lstm(x, state, kernel, recurrent_kernel, bias, return_sequences=False):
    """Run an LSTM over ``x`` ``[batch, time_steps, features]``, ``time_steps`` known in advance.

    ``state`` is ``(h, c)``, each ``[batch, units]``, or None for zeros; the weights are those of ``keras.layers.LSTM``.
    Returns ``(outputs, h, c)``: every ``h`` ``[batch, time_steps, units]`` (None without ``return_sequences``) and the
    last ``h`` and ``c``. Differentiable in every argument, more than once too.
    """
    weights = tf.concat([kernel, recurrent_kernel], axis=0)
    h, c = state if state is not None else 2 * [tf.zeros([tf.shape(x)[0], recurrent_kernel.shape[0]], x.dtype)]
    if tf.executing_eagerly():  # one operation at a time: nothing would run beside the first half
        results = [_rows(x, h, c, weights, bias, return_sequences)]
    else:
        halves = zip(*(_halves(value) for value in (x, h, c)), strict=True)
        results = [_blocks(*half, weights, bias, return_sequences) for half in halves]
    *outputs, h, c = (tf.concat(pieces, axis=0) for pieces in zip(*results, strict=True))
    return (outputs[0] if return_sequences else None), h, c


def _halves(value):
    """``value`` in two nearly equal pieces along the batch: two on every machine, so that the sums are the same too."""
    size = tf.shape(value)[0] if value.shape[0] is None else value.shape[0]
    return tf.split(value, [size // 2, size - size // 2], axis=0)


def _blocks(x, h, c, weights, bias, return_sequences):
    """What ``_rows`` computes, in a graph that does not grow with the rows."""
    count, rest = divmod(x.shape[1], ROWS_A_BLOCK)
    if count + bool(rest) == 1:
        return _graph(x, weights, return_sequences)(x, h, c, weights, bias)
    if rest:
        *outputs, h, c = _blocks(x[:, :rest], h, c, weights, bias, return_sequences)
    blocks = tf.stack(tf.split(x[:, rest:], count, axis=1))
    run = _graph(blocks[0], weights, return_sequences, keep=False)
    every = tf.TensorArray(x.dtype, count, element_shape=[None, ROWS_A_BLOCK, h.shape[1]])

    def turn(n, every, h, c):
        *outputs, h, c = run(blocks[n], h, c, weights, bias)
        return n + 1, every.write(n, outputs[0]) if outputs else every, h, c

    _, every, h, c = tf.while_loop(lambda n, *_: n < count, turn, (0, every, h, c), maximum_iterations=count)
    if not return_sequences:
        return h, c
    later = tf.concat(tf.unstack(every.stack(), count), axis=1)
    return tf.concat([*outputs, later], axis=1) if rest else later, h, c


def _graph(x, weights, return_sequences, keep=True):
    """``_rows`` for an ``x`` of this shape as a graph, built once for all models and batches.

    A gradient of ``tf.custom_gradient``, once in a graph, holds that graph for good: here it is one that is used again.
    """
    return _build(*x.shape[1:], weights.shape[1], x.dtype, return_sequences, keep)


@functools.cache
def _build(rows, features, gates, dtype, return_sequences, keep):
    units = gates // 4
    shapes = [None, rows, features], [None, units], [None, units], [features + units, gates], [gates]
    signature = [tf.TensorSpec(shape, dtype) for shape in shapes]
    return tf.function(lambda *values: _rows(*values, return_sequences, keep), signature, autograph=False)


def _rows(x, h, c, weights, bias, return_sequences, keep=True):
    """The rows one after the other: ``(h, c)`` after the last, behind every ``h`` with ``return_sequences``.

    For the gradient, what each row computed is kept, or else (``keep=False``) computed again.
    """

    @tf.custom_gradient
    def rows(*values):
        outputs, c, kept = _forward(*values)

        def backward(*gradients):
            every_h = tf.unstack(gradients[0], axis=1) if return_sequences else []
            return _backward(*values, kept if keep else _forward(*values)[-1], every_h, *gradients[-2:])

        return ((tf.stack(outputs, axis=1),) if return_sequences else ()) + (outputs[-1], c), backward

    return rows(x, h, c, weights, bias)


def _forward(x, h, c, weights, bias):
    """Every row's ``h``, the last ``c``, and what the backward pass needs of each row."""
    units = weights.shape[1] // 4
    halve = tf.constant(np.repeat([0.5, 0.5, 1, 0.5], units), weights.dtype)  # i, f, candidate, o
    halved_weights, halved_bias = weights * halve, bias * halve
    outputs, kept = [], []
    for x_t in tf.unstack(x, axis=1):
        joint = tf.concat([x_t, h], axis=1)
        gates = tf.tanh(tf.nn.bias_add(joint @ halved_weights, halved_bias))
        i, f, candidate, o = tf.split(gates, 4, axis=1)
        i, f, o = (0.5 + 0.5 * gate for gate in (i, f, o))
        old_c, c = c, f * c + i * candidate
        squashed = tf.tanh(c)
        h = o * squashed
        kept.append((joint, i, f, candidate, o, old_c, squashed))
        outputs.append(h)
    return outputs, c, kept


def _backward(x, h, c, weights, bias, kept, d_outputs, dh, dc):
    """From the gradients of the results to those of the arguments, row by row from the last."""
    units = weights.shape[1] // 4
    d_input, d_recurrent = tf.split(tf.transpose(weights), [weights.shape[0] - units, units], axis=1)
    dx, d_weights, d_bias, joints, dzs = [], [], [], [], []
    for t in reversed(range(len(kept))):
        joint, i, f, candidate, o, old_c, squashed = kept[t]
        if d_outputs:
            dh += d_outputs[t]
        dc += _tanh_gradient(squashed, dh * o)
        dz = tf.concat(
            [
                _sigmoid_gradient(i, dc * candidate),
                _sigmoid_gradient(f, dc * old_c),
                _tanh_gradient(candidate, dc * i),
                _sigmoid_gradient(o, dh * squashed),
            ],
            axis=1,
        )
        dh, dc = dz @ d_recurrent, dc * f
        joints.append(joint)
        dzs.append(dz)
        if t % ROWS_A_PRODUCT == 0:
            every_dz = tf.concat(dzs, axis=0)
            d_weights.append(tf.matmul(tf.concat(joints, axis=0), every_dz, transpose_a=True))
            d_bias.append(tf.reduce_sum(every_dz, axis=0))
            dx += tf.split(every_dz @ d_input, len(dzs), axis=0)
            joints, dzs = [], []
    return tf.stack(dx[::-1], axis=1), dh, dc, tf.add_n(d_weights), tf.add_n(d_bias)


def _sigmoid_gradient(y, dy):
    """``dy · y (1 − y)``, the gradient before a sigmoid whose value is ``y``, as one operation."""
    return tf.raw_ops.SigmoidGrad(y=y, dy=dy)


def _tanh_gradient(y, dy):
    """``dy · (1 − y²)``, the gradient before a tanh whose value is ``y``, as one operation."""
    return tf.raw_ops.TanhGrad(y=y, dy=dy)
