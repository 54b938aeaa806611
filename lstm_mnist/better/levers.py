"""Other losses, batches and steps for the same network: each function makes a ``compute`` for ``train``."""

import keras
import tensorflow as tf

from ..training import compute_gradients, loss_and_accuracy


def on_loss(loss_of):
    """Lessen ``loss_of(labels, logits, images)``, a number, in place of the cross-entropy."""

    def compute_on_loss(model, images, labels, n):
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = loss_of(labels, logits, images)
        _, accuracy = loss_and_accuracy(labels, logits)
        return tape.gradient(loss, model.trainable_variables), loss, accuracy

    return compute_on_loss


def smoothed(share=0.1):
    """Spread a ``share`` of what is wanted evenly over all digits (label smoothing, Szegedy et al. 2016)."""

    def loss_of(labels, logits, images):
        digits = logits.shape[-1]
        wanted = (1 - share) * tf.one_hot(labels, digits) + share / digits
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(wanted, logits))

    return on_loss(loss_of)


def helped_by_every_row():
    """Add the mean loss over all rows to that after the last row; for a model that answers after every row."""

    def loss_of(labels, logits, images):
        last, _ = loss_and_accuracy(labels, logits[:, -1])
        every, _ = loss_and_accuracy(labels, logits)
        return last + every

    return on_loss(loss_of)


def taught(teacher, temperature=2.0):
    """Half the loss asks for the label, half for the ``teacher``'s answer to the same image (Hinton et al. 2015).

    The logits of both are divided by ``temperature`` for the second half, and that half times its square.
    """

    def loss_of(labels, logits, images):
        wanted = tf.nn.softmax(teacher(images) / temperature)
        as_teacher = tf.nn.softmax_cross_entropy_with_logits(wanted, logits / temperature)
        loss, _ = loss_and_accuracy(labels, logits)
        return 0.5 * loss + 0.5 * temperature**2 * tf.reduce_mean(as_teacher)

    return on_loss(loss_of)


def fewer_at_first(few, until):
    """Learn from the first ``few`` images of each batch before step ``until``, then from all of it."""

    def compute_on_few(model, images, labels, n):
        count = tf.where(n < until, few, tf.shape(images)[0])
        return compute_gradients(model, images[:count], labels[:count], n)

    return compute_on_few


@keras.saving.register_keras_serializable("lstm_mnist")
class GateMuon(keras.optimizers.Muon):
    """Muon (Jordan et al. 2024) for an LSTM: each gate's part of a matrix ``[n, 4 units]`` is a matrix of its own.

    Muon moves a matrix by its gradient made nearly orthogonal: singular values that are not too small come near 1.
    """

    def zeropower_via_newtonschulz5(self, x, steps):
        orthogonal = super().zeropower_via_newtonschulz5
        return tf.concat([orthogonal(gate, steps) for gate in tf.split(x, 4, axis=-1)], axis=-1)
