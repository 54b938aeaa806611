"""The LSTM's arithmetic, arranged for speed: TensorFlow's fused operations under a backward pass written by hand.

Equal to ``lstm.plain_lstm`` up to rounding. What differs (notebook 08 measures what it brings):

- ``BlockLSTM`` reads all rows in one operation, and joins row and old ``h`` so that a row needs one product, not two;
- ``LSTMBlockCellGrad`` does what is element by element in a row's gradient in one operation;
- the backward pass forms the weights' gradient of several rows as one product;
- the batch is cut in two halves: two chains of operations that TensorFlow runs side by side, each on a core.

The graph hardly grows with the number of rows. All this serves float32 alone, and XLA does not know the operations.
"""

import functools
from typing import NamedTuple

import tensorflow as tf

ROWS_A_TURN = 7  # at most: rows of a turn of the backward loop, whose weight gradients form one product


def can_run(x):
    """Whether these operations serve the tensor ``x`` where it is now."""
    return x.dtype == tf.float32 and not tf.__internal__.get_enclosing_xla_context()


def lstm(x, state, kernel, recurrent_kernel, bias, return_sequences=False):
    """Run an LSTM over ``x`` float32 ``[batch, time_steps, features]``, ``time_steps`` known in advance.

    ``state`` is ``(h, c)``, each ``[batch, units]``; the weights are those of ``keras.layers.LSTM``. Returns
    ``(outputs, h, c)``: every ``h`` ``[batch, time_steps, units]`` (None without ``return_sequences``) and the last
    ``h`` and ``c``. Differentiable in every argument, but once: the derivative of a derivative raises
    ``NotImplementedError``.
    """
    h, c = state
    weights = kernel, recurrent_kernel, bias
    if tf.executing_eagerly():  # one operation at a time: nothing would run beside the first half
        results = [_read_rows(x, h, c, *weights, return_sequences)]
    else:
        results = []
        for x_half, h_half, c_half in zip(_halves(x), _halves(h), _halves(c), strict=True):
            read_rows = _build(*x_half.shape, kernel.shape[1], return_sequences)
            results.append(read_rows(x_half, h_half, c_half, *weights))
    *outputs, h, c = (tf.concat(halves, axis=0) for halves in zip(*results, strict=True))
    return (outputs[0] if return_sequences else None), h, c


def _halves(value):
    """``value`` in two nearly equal pieces along the batch: two on every machine, so that the sums are the same too."""
    size = tf.shape(value)[0] if value.shape[0] is None else value.shape[0]
    return tf.split(value, [size // 2, size - size // 2], axis=0)


@functools.cache
def _build(batch, time_steps, features, gates, return_sequences):
    """``_read_rows`` for these shapes as a graph, built once for all models.

    A gradient of ``tf.custom_gradient``, once in a graph, holds that graph for good: here it is one that is used again.
    """
    units = gates // 4
    shapes = [batch, time_steps, features], [batch, units], [batch, units], [features, gates], [units, gates], [gates]
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    return tf.function(lambda *values: _read_rows(*values, return_sequences), signature, autograph=False)


class Kept(NamedTuple):
    """What the way back needs of all rows: tensors ``[time_steps, batch, units]``, ``x`` with features for units."""

    x: tf.Tensor
    old_h: tf.Tensor  # before the row
    old_c: tf.Tensor
    i: tf.Tensor
    f: tf.Tensor
    candidate: tf.Tensor
    c: tf.Tensor  # after the row
    tanh_c: tf.Tensor
    o: tf.Tensor


def _read_rows(x, h, c, kernel, recurrent_kernel, bias, return_sequences):
    """``(h, c)`` after the last row, behind every ``h`` with ``return_sequences``."""

    @tf.custom_gradient
    def read(*arguments):
        x, h, c, kernel, recurrent_kernel, bias = arguments
        weights, bias = _exchanged(tf.concat([kernel, recurrent_kernel], axis=0)), _exchanged(bias)
        x = tf.transpose(x, [1, 0, 2])
        steps = tf.constant(x.shape[0], tf.int64)
        i, every_c, f, o, candidate, tanh_c, every_h = tf.raw_ops.BlockLSTM(
            seq_len_max=steps, x=x, cs_prev=c, h_prev=h, forget_bias=0.0, cell_clip=0.0, **_cell(weights, bias)
        )
        old_h = tf.concat([h[None], every_h[:-1]], axis=0)
        old_c = tf.concat([c[None], every_c[:-1]], axis=0)
        kept = Kept(x, old_h, old_c, i, f, candidate, every_c, tanh_c, o)
        kept = Kept(*(tf.stop_gradient(value) for value in kept))

        def backward(*gradients):
            @tf.custom_gradient
            def only_once(*gradients):
                return _backward(kept, weights, bias, gradients), _no_second

            return only_once(*gradients)

        outputs = (tf.transpose(every_h, [1, 0, 2]),) if return_sequences else ()
        return (*outputs, every_h[-1], every_c[-1]), backward

    return read(x, h, c, kernel, recurrent_kernel, bias)


def _exchanged(weights):
    """From Keras's order of the gates, i, f, candidate, o, to the operations' own, i, candidate, f, o, and back."""
    i, f, candidate, o = tf.split(weights, 4, axis=-1)
    return tf.concat([i, candidate, f, o], axis=-1)


def _cell(weights, bias):
    """What both operations are told of the cell: no peepholes, from the gates to c."""
    none = tf.zeros([bias.shape[0] // 4])
    return {"w": weights, "b": bias, "wci": none, "wcf": none, "wco": none, "use_peephole": False}


def _backward(kept, weights, bias, gradients):
    """The gradients in ``x, h, c, kernel, recurrent_kernel, bias``, turn by turn from the last rows."""
    *d_outputs, dh, dc = gradients  # of every h, where it was asked for, and of the last h and c
    time_steps, batch, features = kept.x.shape[0], tf.shape(dh)[0], kept.x.shape[2]
    rows_a_turn = max(count for count in range(1, ROWS_A_TURN + 1) if time_steps % count == 0)
    turns, units = time_steps // rows_a_turn, dh.shape[1]

    def in_turns(value):
        return tf.reshape(value, [turns, rows_a_turn, batch, value.shape[2]])

    joints = in_turns(tf.concat([kept.x, kept.old_h], axis=2))
    kept = Kept(*map(in_turns, kept))
    d_outputs = [in_turns(tf.transpose(d, [1, 0, 2])) for d in d_outputs]
    d_input, d_recurrent = tf.split(tf.transpose(weights), [features, units], axis=1)
    cell = _cell(weights, bias)

    def turn(n, every_dz, dh, dc, d_weights, d_bias):
        rows = [tf.unstack(value[n]) for value in kept]
        d_rows = [tf.unstack(d[n]) for d in d_outputs]
        dzs = []
        for k in reversed(range(rows_a_turn)):
            row = Kept(*(value[k] for value in rows))
            dh = tf.add_n([dh, *(d[k] for d in d_rows)])
            dc, dz, *_ = tf.raw_ops.LSTMBlockCellGrad(
                x=row.x, h_prev=row.old_h, cs_prev=row.old_c, i=row.i, f=row.f, ci=row.candidate,
                cs=row.c, co=row.tanh_c, o=row.o, h_grad=dh, cs_grad=dc, **cell
            )  # fmt: skip
            dh = dz @ d_recurrent
            dzs.insert(0, dz)
        dz = tf.concat(dzs, axis=0)
        d_weights += tf.matmul(tf.reshape(joints[n], [-1, features + units]), dz, transpose_a=True)
        return n - 1, every_dz.write(n, dz), dh, dc, d_weights, d_bias + tf.reduce_sum(dz, axis=0)

    every_dz = tf.TensorArray(tf.float32, turns, element_shape=[None, 4 * units], infer_shape=False)
    last = turns - 1, every_dz, dh, dc, tf.zeros_like(weights), tf.zeros_like(bias)
    first = tf.while_loop(lambda n, *_: n >= 0, turn, last, maximum_iterations=turns)
    _, every_dz, dh, dc, d_weights, d_bias = first
    dx = tf.reshape(every_dz.concat() @ d_input, [time_steps, batch, features])
    d_kernel, d_recurrent_kernel = tf.split(_exchanged(d_weights), [features, units])
    return tf.transpose(dx, [1, 0, 2]), dh, dc, d_kernel, d_recurrent_kernel, _exchanged(d_bias)


def _no_second(*_):
    raise NotImplementedError(
        "the derivative of a derivative is asked for, and the fast operations have none: "
        "make the layer with implementation='plain', or set model.lstm.implementation = 'plain'"
    )
