"""The LSTM's arithmetic, arranged for speed: one fused product a row, and a backward pass written by hand.

Equal to the plain loop of ``lstm.LSTM`` up to rounding. What makes it fast:

- ``sigmoid(z) = ½ + ½ tanh(z / 2)``: with the weights of i, f and o halved beforehand, one ``tanh`` serves all four
  gates, and TensorFlow fuses product, bias and ``tanh`` into one operation;
- row and old ``h`` are joined, so that a row needs one product, not two;
- the backward pass keeps every row's gradient and forms the weights' gradient of many rows as one product;
- the batch is cut in two halves: two chains of operations that TensorFlow runs side by side.

The rows stand in the graph one after the other, which is fast, but a graph of 784 rows takes long to build and much
memory to hold. More rows than ``ROWS_AT_MOST`` go round a loop, ``ROWS_A_TURN`` at a time.
"""

import functools

import numpy as np
import tensorflow as tf

ROWS_AT_MOST = 28  # rows without a loop: an MNIST digit
ROWS_A_TURN = 7  # rows of a loop's turn
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
    if x.shape[1] <= ROWS_AT_MOST:
        return _graph(x, weights, return_sequences)(x, h, c, weights, bias)
    turns, rest = divmod(x.shape[1], ROWS_A_TURN)
    if rest:
        *outputs, h, c = _graph(x[:, :rest], weights, return_sequences)(x[:, :rest], h, c, weights, bias)
    blocks = tf.stack(tf.split(x[:, rest:], turns, axis=1))
    run = _graph(blocks[0], weights, return_sequences)
    every_h = []
    if return_sequences:
        every_h.append(tf.TensorArray(x.dtype, turns, element_shape=[x.shape[0], ROWS_A_TURN, h.shape[1]]))

    def turn(n, h, c, *every_h):
        *outputs, h, c = run(blocks[n], h, c, weights, bias)
        return n + 1, h, c, *(array.write(n, output) for array, output in zip(every_h, outputs, strict=True))

    start = 0, h, c, *every_h
    _, h, c, *every_h = tf.while_loop(lambda n, *_: n < turns, turn, start, maximum_iterations=turns)
    if not return_sequences:
        return h, c
    later = tf.concat(tf.unstack(every_h[0].stack(), turns), axis=1)
    return tf.concat([*outputs, later], axis=1) if rest else later, h, c


def _graph(x, weights, return_sequences):
    """``_rows`` for an ``x`` of this shape as a graph, built once for all models.

    A gradient of ``tf.custom_gradient``, once in a graph, holds that graph for good: here it is one that is used again.
    """
    return _build(*x.shape, weights.shape[1], x.dtype, return_sequences)


@functools.cache
def _build(batch, rows, features, gates, dtype, return_sequences):
    units = gates // 4
    shapes = [batch, rows, features], [batch, units], [batch, units], [features + units, gates], [gates]
    signature = [tf.TensorSpec(shape, dtype) for shape in shapes]
    return tf.function(lambda *values: _rows(*values, return_sequences), signature, autograph=False)


def _rows(x, h, c, weights, bias, return_sequences):
    """The rows one after the other: ``(h, c)`` after the last, behind every ``h`` with ``return_sequences``."""

    @tf.custom_gradient
    def rows(x, h, c, weights, bias):
        every_h, every_c, every_gates = _forward(x, h, c, weights, bias)

        def backward(*gradients):
            """From the gradients of the results to those of the arguments."""
            *d_outputs, dh, dc = gradients
            d_outputs = tf.unstack(d_outputs[0], axis=1) if d_outputs else None
            rows = zip(tf.unstack(x, axis=1), [h, *every_h], [c, *every_c], every_c, every_gates, strict=False)
            return _backward(list(rows), weights, d_outputs, dh, dc)

        outputs = (tf.stack(every_h, axis=1),) if return_sequences else ()
        return (*outputs, every_h[-1], every_c[-1]), backward

    return rows(x, h, c, weights, bias)


def _forward(x, h, c, weights, bias):
    """Each row's ``h``, ``c`` and gates."""
    units = weights.shape[1] // 4
    halve = tf.constant(np.repeat([0.5, 0.5, 1, 0.5], units), weights.dtype)  # i, f, candidate, o
    halved_weights, halved_bias = weights * halve, bias * halve
    every_h, every_c, every_gates = [], [], []
    for x_t in tf.unstack(x, axis=1):
        gates = tf.tanh(tf.nn.bias_add(tf.concat([x_t, h], axis=1) @ halved_weights, halved_bias))
        i, f, candidate, o = _split(gates)
        c = f * c + i * candidate
        h = o * tf.tanh(c)
        every_h.append(h)
        every_c.append(c)
        every_gates.append(gates)
    return every_h, every_c, every_gates


def _split(gates):
    """``i, f, candidate, o`` of one row, from the tanh of all four."""
    i, f, candidate, o = tf.split(gates, 4, axis=1)
    i, f, o = (0.5 + 0.5 * gate for gate in (i, f, o))
    return i, f, candidate, o


def _backward(rows, weights, d_outputs, dh, dc):
    """The gradients in ``x, h, c, weights, bias``, row by row from the last: each ``(x_t, h, c, new c, gates)``."""
    units = weights.shape[1] // 4
    d_input, d_recurrent = tf.split(tf.transpose(weights), [weights.shape[0] - units, units], axis=1)
    dx, d_weights, d_bias, joints, dzs = [], [], [], [], []
    for t, (x_t, h, c, new_c, gates) in reversed(list(enumerate(rows))):
        i, f, candidate, o = _split(gates)
        squashed = tf.tanh(new_c)
        if d_outputs:
            dh += d_outputs[t]
        dc += _tanh_gradient(squashed, dh * o)
        dz = tf.concat(
            [
                _sigmoid_gradient(i, dc * candidate),
                _sigmoid_gradient(f, dc * c),
                _tanh_gradient(candidate, dc * i),
                _sigmoid_gradient(o, dh * squashed),
            ],
            axis=1,
        )
        dh, dc = dz @ d_recurrent, dc * f
        joints.append(tf.concat([x_t, h], axis=1))
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
