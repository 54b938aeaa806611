"""More digits than MNIST has: images turned, sheared, scaled, shifted and bent a little, new at every step.

A size that is added to ``distort`` begins at 0, so that no recipe changes; it is searched and trained with once it
stands in ``recipes.CHANGES`` and ``search.draw``.
"""

import math

import numpy as np
import tensorflow as tf

from ..checks import check_function, check_images, check_number, check_whole
from ..training import compute_gradients

BEND_POINTS = 5  # a bend is drawn at 5 x 5 points and smooth in between


def distort(images, seed, amount=1.0, degrees=12.0, scale=0.12, shear=0.2, shift=2.5, bend=0.6):
    """A random change for each image: an affine map about the centre and an elastic bend (Simard et al. 2003).

    ``images`` ``[batch, rows, columns]`` are uint8, or float in 0..1; the result is float32 in 0..1 of the same shape.
    ``seed`` is two integers: the same seed, the same changes. ``degrees`` is the largest turn, ``scale`` the largest
    change of size as a share, ``shear`` the largest slant in columns a row, ``shift`` the largest shift in pixels, and
    ``bend`` the standard deviation of a bend's points in pixels. ``amount`` scales all of them; 0 changes nothing.
    Raises ``ValueError`` for other images, seeds or sizes, but not in a graph, where no value is known yet.
    """
    sizes = {"amount": amount, "degrees": degrees, "scale": scale, "shear": shear, "shift": shift, "bend": bend}
    pixels, seed = _checked(images, seed, sizes)
    batch, rows, columns = tf.unstack(tf.shape(pixels))
    draws = amount * tf.random.stateless_uniform([6, batch, 1, 1], seed, -1, 1)
    angle, slant = draws[0] * degrees * math.pi / 180, draws[1] * shear
    y = tf.cast(tf.range(rows), tf.float32)[:, None] - tf.cast(rows - 1, tf.float32) / 2
    x = tf.cast(tf.range(columns), tf.float32)[None, :] - tf.cast(columns - 1, tf.float32) / 2
    turned_y = tf.sin(angle) * (x + slant * y) + tf.cos(angle) * y
    turned_x = tf.cos(angle) * (x + slant * y) - tf.sin(angle) * y
    points = tf.random.stateless_normal([batch, BEND_POINTS, BEND_POINTS, 2], seed)
    bend = amount * bend * tf.image.resize(points, [rows, columns], "bicubic")
    from_y = turned_y / (1 + scale * draws[2]) + shift * draws[3] + bend[..., 0] - y[0]
    from_x = turned_x / (1 + scale * draws[4]) + shift * draws[5] + bend[..., 1] - x[0, 0]
    return _read_between(pixels, from_y, from_x)


def disturb(images, seed, noise=0.3, missing_rows=4):
    """Noise in one half of the images, missing rows in one half, each half drawn by itself: float32 of the same shape.

    ``images`` and ``seed`` are as in ``distort``. ``noise`` is the largest standard deviation of the noise, each
    image's own is drawn evenly below it. ``missing_rows`` neighbouring rows become 0. Raises what ``distort`` does.
    """
    missing_rows = check_whole("missing_rows", missing_rows, 0, 1000)
    pixels, seed = _checked(images, seed, {"noise": noise})
    batch, rows, _ = tf.unstack(tf.shape(pixels))
    draws = tf.random.stateless_uniform([3, batch, 1, 1], seed)
    strength = noise * tf.maximum(2 * draws[0] - 1, 0)
    noisy = tf.clip_by_value(pixels + strength * tf.random.stateless_normal(tf.shape(pixels), seed), 0, 1)
    first = tf.floor(draws[1] * tf.cast(rows - missing_rows + 1, tf.float32))
    below = tf.cast(tf.range(rows), tf.float32)[:, None] - first
    missing = (below >= 0) & (below < missing_rows) & (draws[2] < 0.5)
    return tf.where(missing, 0.0, noisy)


def _checked(images, seed, sizes):
    """Pixels in 0..1 and a seed that TensorFlow takes; ``ValueError`` for others, and for ``sizes`` that are none.

    In a graph no value is known yet, and nothing is looked at.
    """
    if tf.executing_eagerly():
        check_images(images)
        for name, value in sizes.items():
            check_number(name, value.numpy() if tf.is_tensor(value) else value, most=1000, zero=True)
        whole = np.asarray(seed)
        if whole.shape != (2,) or whole.dtype.kind not in "iu":
            raise ValueError(f"seed is {seed!r}: give two whole numbers, such as [0, 1]")
        seed = whole.astype(np.int64)
    return tf.cast(images, tf.float32) / (255 if images.dtype == tf.uint8 else 1), seed


def _read_between(pixels, y, x):
    """What ``pixels`` ``[batch, rows, columns]`` hold at the places ``y``, ``x`` of the same shape, in pixels.

    Between pixels it is their linear mean; outside the image it is 0.
    """
    batch, rows, columns = tf.unstack(tf.shape(pixels))
    padded = tf.reshape(tf.pad(pixels, [[0, 0], [1, 2], [1, 2]]), [-1])
    width = columns + 3
    y = tf.clip_by_value(y + 1, 0, tf.cast(rows + 1, tf.float32))
    x = tf.clip_by_value(x + 1, 0, tf.cast(columns + 1, tf.float32))
    top, left = tf.floor(y), tf.floor(x)
    down, right = y - top, x - left
    image = tf.range(batch)[:, None, None] * (rows + 3) * width
    at = image + tf.cast(top, tf.int32) * width + tf.cast(left, tf.int32)
    above = tf.gather(padded, at) * (1 - right) + tf.gather(padded, at + 1) * right
    below = tf.gather(padded, at + width) * (1 - right) + tf.gather(padded, at + width + 1) * right
    return above * (1 - down) + below * down


def on_changed(change, compute=compute_gradients):
    """A ``compute`` for ``train``: in step ``n`` the model sees ``change(images, n)`` in place of the images.

    ``change`` maps uint8 images ``[batch, rows, columns]`` to uint8, or float in 0..1, of the same shape; ``TypeError``
    where it is no function.
    """
    check_function("change", change)

    def compute_on_changed(model, images, labels, n):
        return compute(model, change(images, n), labels, n)

    return compute_on_changed
