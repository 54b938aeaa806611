"""The LSTM's arithmetic, arranged for speed: one fused product a row, and a backward pass written by hand.

Equal to the plain loop of ``lstm.LSTM`` up to rounding. What makes it fast:

- ``sigmoid(z) = ½ + ½ tanh(z / 2)``: with the weights of i, f and o halved beforehand, one ``tanh`` serves all four
  gates, and TensorFlow fuses product, bias and ``tanh`` into one operation;
- row and old ``h`` are joined, so that a row needs one product, not two;
- the backward pass keeps every row's gradient and forms the weights' gradient of many rows as one product;
- the batch is cut in two halves: two chains of operations that TensorFlow runs side by side.
"""

import numpy as np
import tensorflow as tf

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
        results = [_chain(x, h, c, weights, bias, return_sequences)]
    else:
        halves = zip(*(_halves(value) for value in (x, h, c)), strict=True)
        results = [_chain(*half, weights, bias, return_sequences) for half in halves]
    *outputs, h, c = (tf.concat(pieces, axis=0) for pieces in zip(*results, strict=True))
    return (outputs[0] if return_sequences else None), h, c


def _halves(value):
    """``value`` in two nearly equal pieces along the batch: two on every machine, so that the sums are the same too."""
    size = tf.shape(value)[0] if value.shape[0] is None else value.shape[0]
    return tf.split(value, [size // 2, size - size // 2], axis=0)


def _chain(x, h, c, weights, bias, return_sequences):
    """The rows one after the other: ``(h, c)`` after the last, behind every ``h`` with ``return_sequences``."""

    @tf.custom_gradient
    def chain(x, h, c, weights, bias):
        units = weights.shape[1] // 4
        halve = tf.constant(np.repeat([0.5, 0.5, 1, 0.5], units), weights.dtype)  # i, f, candidate, o
        halved_weights, halved_bias = weights * halve, bias * halve
        rows, outputs = [], []
        for x_t in tf.unstack(x, axis=1):
            joint = tf.concat([x_t, h], axis=1)
            gates = tf.tanh(tf.nn.bias_add(joint @ halved_weights, halved_bias))
            i, f, candidate, o = tf.split(gates, 4, axis=1)
            i, f, o = (0.5 + 0.5 * gate for gate in (i, f, o))
            old_c, c = c, f * c + i * candidate
            squashed = tf.tanh(c)
            h = o * squashed
            rows.append((joint, i, f, candidate, o, old_c, squashed))
            outputs.append(h)

        def backward(*gradients):
            """From the gradients of the results to those of the arguments, row by row from the last."""
            *d_outputs, dh, dc = gradients
            d_outputs = tf.unstack(d_outputs[0], axis=1) if d_outputs else len(rows) * [None]
            d_input, d_recurrent = tf.split(tf.transpose(weights), [weights.shape[0] - units, units], axis=1)
            dx, d_weights, d_bias, joints, dzs = [], [], [], [], []
            for t in reversed(range(len(rows))):
                joint, i, f, candidate, o, old_c, squashed = rows[t]
                if return_sequences:
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

        return ((tf.stack(outputs, axis=1),) if return_sequences else ()) + (h, c), backward

    return chain(x, h, c, weights, bias)


def _sigmoid_gradient(y, dy):
    """``dy · y (1 − y)``, the gradient before a sigmoid whose value is ``y``, as one operation."""
    return tf.raw_ops.SigmoidGrad(y=y, dy=dy)


def _tanh_gradient(y, dy):
    """``dy · (1 − y²)``, the gradient before a tanh whose value is ``y``, as one operation."""
    return tf.raw_ops.TanhGrad(y=y, dy=dy)
