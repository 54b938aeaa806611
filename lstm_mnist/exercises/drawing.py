"""Exercises of notebook 06."""

import numpy as np

from .checker import Exercise


def angle(top, bottom, left, right):
    """A drawing: a thin pale stroke down, from ``top`` to ``bottom``, and a dark one across, from ``left`` on."""
    image = np.zeros((28, 28), np.uint8)
    image[top:bottom, left : left + 2] = 60
    image[bottom - 2 : bottom, left:right] = 255
    return image


def centre(ink):
    """Mean row and mean column, each weighted by its ink."""
    rows, columns = ink.sum(axis=1), ink.sum(axis=0)
    indices = np.arange(28)
    return rows @ indices / rows.sum(), columns @ indices / columns.sum()


def way_to_centre(target=14, rounding=np.rint):
    def way_to_centre(image):
        row, column = centre(image.astype(float))
        return rounding(target - row), rounding(target - column)

    return way_to_centre


def way_of_equal_pixels(image):
    return way_to_centre()(image > 0)


def way_of_box(image):
    rows, columns = np.nonzero(image)
    return np.rint(14 - (rows.min() + rows.max()) / 2), np.rint(14 - (columns.min() + columns.max()) / 2)


def wrong_way(image):
    down, right = way_to_centre()(image)
    return -down, -right


def place_of_centre(image):
    return tuple(np.rint(centre(image.astype(float))))


def fit(choose=min, rounding=round, smallest=1):
    def fit(height, width, box_height, box_width):
        scale = choose(box_height / height, box_width / width)
        return max(smallest, rounding(scale * height)), max(smallest, rounding(scale * width))

    return fit


def fit_without_growing(*sizes):
    return fit(choose=lambda *factors: min(*factors, 1))(*sizes)


def shrunk(photo):
    return photo.reshape(28, 10, 28, 10).mean(axis=(1, 3))


SIZES = ((5, 3, 20, 20), (100, 50, 20, 20), (30, 92, 20, 20), (200, 3, 20, 20), (60, 33, 30, 10))

PHOTO = np.random.default_rng(2).integers(0, 256, (280, 280)).astype(np.uint8)

EXERCISES = {
    "06.1": Exercise(
        right=way_to_centre(),
        praise="down and right, in whole pixels, so that the centre of mass comes to index 14",
        wrong={
            "the two are exchanged: down is along the rows and comes first": lambda image: way_to_centre()(image)[::-1],
            "the sign: a digit that lies too far up (mean row below 14) must go down, by a positive number": wrong_way,
            "that is where the centre of mass is; how far is it from there to 14?": place_of_centre,
            "too small: MNIST's makers took 14, not 13.5; and round to the nearest pixel, not down": way_to_centre(
                13.5
            ),
            "images are moved by whole pixels: round": way_to_centre(rounding=float),
            "that cuts the decimals off; round to the nearest whole pixel": way_to_centre(rounding=int),
            "every pixel with ink counts alike in yours; a darker one must weigh more": way_of_equal_pixels,
            "that centres the box around the ink; the centre of mass weighs each pixel by its ink": way_of_box,
        },
        inputs=((angle(2, 12, 3, 8),), (angle(12, 27, 4, 25),)),
        results=("way down", "way to the right"),
    ),
    "06.2": Exercise(
        right=fit(),
        praise="one factor for both sides, the smaller of the two, and no side vanishes",
        wrong={
            "height and width each got a factor of their own: the digit is stretched": (
                lambda height, width, box_height, box_width: (box_height, box_width)
            ),
            "a small digit has to grow: as large as possible": fit_without_growing,
            "the larger factor makes the digit stick out of the box; take the smaller": fit(max),
            "only the height decides in yours: a wide digit sticks out of the box": fit(lambda down, right: down),
            "height and width are exchanged: give back the height first": lambda *sizes: fit()(*sizes)[::-1],
            "cutting the decimals off makes sides too short: round": fit(rounding=int),
            "a 1 of 3 pixels' width has become 0 wide, so it is gone: keep at least 1": fit(smallest=0),
            "whole pixels are wanted: round": fit(rounding=float),
        },
        inputs=SIZES,
        results=("height", "width"),
        rtol=1e-9,
    ),
    "06.3": Exercise(
        right=lambda photo: (255 - shrunk(photo)) / 255,
        praise="ink is high, paper is 0, and rows are rows",
        bug=lambda photo: shrunk(photo).T / 255,
        todo="it has two bugs: look at what comes out for a photo with one dark line along its upper edge",
        wrong={
            "one bug found, ink is high now; but the digit still lies on its side": (
                lambda photo: (255 - shrunk(photo).T) / 255
            ),
            "one bug found, the digit stands upright; but its ink is still low and its paper high": (
                lambda photo: shrunk(photo) / 255
            ),
            "both bugs found, but the values must be scaled to 0..1": lambda photo: 255 - shrunk(photo),
            "upright, but the values now run from 254 to 255: subtract from 255 first, then divide": (
                lambda photo: 255 - shrunk(photo) / 255
            ),
        },
        inputs=((PHOTO,),),
    ),
}
