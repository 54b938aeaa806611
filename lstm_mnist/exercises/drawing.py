"""Exercises of notebook 06."""

import numpy as np

from .checker import Exercise


def _drawing(rows, columns):
    image = np.zeros((28, 28), np.uint8)
    image[rows, columns.start : columns.start + 2] = 60
    image[rows.stop - 2 : rows.stop, columns] = 255
    return (image,)


_DRAWINGS = (_drawing(slice(2, 12), slice(3, 8)), _drawing(slice(12, 27), slice(4, 25)))


def _shift(centre=14, sign=1, axes=(1, 0), weigh=lambda image: image, rounding=np.rint):
    def shift(image):
        weights = weigh(image).astype(float)
        means = [weights.sum(axis=axis) @ np.arange(28) / weights.sum() for axis in axes]
        return tuple(float(rounding(sign * (centre - mean))) for mean in means)

    return shift


def _middle_of_box(image):
    return tuple(float(np.rint(14 - (k.min() + k.max()) / 2)) for k in np.nonzero(image))


def _fit(choose=min, rounding=round, smallest=1):
    def fit(height, width, box_height, box_width):
        scale = choose(box_height / height, box_width / width)
        return max(smallest, rounding(scale * height)), max(smallest, rounding(scale * width))

    return fit


_SIZES = ((5, 3, 20, 20), (100, 50, 20, 20), (30, 92, 20, 20), (200, 3, 20, 20), (60, 33, 30, 10))

_PHOTO = ((np.random.default_rng(2).integers(0, 256, (280, 280)).astype(np.uint8),),)


def _shrunk(photo):
    return photo.reshape(28, 10, 28, 10).mean(axis=(1, 3))


EXERCISES = {
    "06.1": Exercise(
        right=_shift(),
        praise="down and right, in whole pixels, so that the centre of mass comes to pixel 14",
        wrong={
            "the two are exchanged: down is along the rows and comes first": _shift(axes=(0, 1)),
            "the sign: a digit that lies too far up (mean row below 14) must go down, by a positive number": _shift(
                sign=-1
            ),
            "13.5 is the middle of the pixels' numbers, but MNIST's makers took pixel 14": _shift(13.5),
            "images are moved by whole pixels: round": _shift(rounding=float),
            "that cuts the decimals off; round to the nearest whole pixel": _shift(rounding=int),
            "every pixel with ink counts alike in yours; a darker one must weigh more": _shift(
                weigh=lambda image: image > 0
            ),
            "that centres the box around the ink; the centre of mass weighs each pixel by its ink": _middle_of_box,
        },
        inputs=_DRAWINGS,
    ),
    "06.2": Exercise(
        right=_fit(),
        praise="one factor for both sides, the smaller of the two, and no side vanishes",
        wrong={
            "height and width each got a factor of their own: the digit is stretched": (
                lambda height, width, box_height, box_width: (box_height, box_width)
            ),
            "a small digit has to grow: as large as possible": (_fit(lambda *factors: min(*factors, 1))),
            "the larger factor makes the digit stick out of the box; take the smaller": _fit(max),
            "height and width are exchanged: give back the height first": lambda *sizes: _fit()(*sizes)[::-1],
            "cutting the decimals off makes sides too short: round": _fit(rounding=int),
            "a 1 of 3 pixels' width has become 0 wide, so it is gone: keep at least 1": _fit(smallest=0),
            "whole pixels are wanted: round": _fit(rounding=float, smallest=0),
        },
        inputs=_SIZES,
        rtol=1e-9,
    ),
    "06.3": Exercise(
        right=lambda photo: (255 - _shrunk(photo)) / 255,
        praise="ink is high, paper is 0, and rows are rows",
        bug=lambda photo: _shrunk(photo).T / 255,
        todo="it has two bugs: look at what comes out for a photo with one dark line along its upper edge",
        wrong={
            "one bug found, ink is high now; but the digit still lies on its side": (
                lambda photo: (255 - _shrunk(photo).T) / 255
            ),
            "one bug found, the digit stands upright; but its ink is still low and its paper high": (
                lambda photo: _shrunk(photo) / 255
            ),
            "both bugs found, but the values must be scaled to 0..1": lambda photo: 255 - _shrunk(photo),
            "upright, but the values now run from 254 to 255: subtract from 255 first, then divide": (
                lambda photo: 255 - _shrunk(photo) / 255
            ),
            "upright, but ink must be positive: 255 − value, not −value": lambda photo: -_shrunk(photo) / 255,
            "ink is high now, but the digit stands on its head": lambda photo: (255 - _shrunk(photo)[::-1]) / 255,
        },
        inputs=_PHOTO,
    ),
}
