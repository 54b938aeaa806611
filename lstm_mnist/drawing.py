"""Your own digit: from pen strokes or a photo to MNIST's form."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from .data import DataError

DRAWN_DIGITS_FILE = Path(__file__).with_name("drawn_digits.json")

PAD_SIZE = 280  # pixels, ten for each of MNIST's

PEN_WIDTH = 20

SIZE, BOX, CENTRE = 28, 20, 14  # MNIST's image, the box that a digit fills in it, the pixel of its centre of mass

FAINTEST_PEN = 25  # grey levels of 255 between ink and paper in a photo

FULLEST_DIGIT = 0.45  # mean ink of 28 x 28 pixels: 0.40 in MNIST's fullest training digit, 0.51 in a black square


class DrawnDigit(NamedTuple):
    """A digit drawn by hand: its strokes are lists of (x, y) on a pad of 280 x 280 pixels, y downwards."""

    digit: int
    way: str  # plain, thin, thick, small, off-centre, slanted, other form, hasty
    pen_width: int
    strokes: list


def load_drawn_digits():
    """This project's 80 ``DrawnDigit``: each of the ten digits in eight ways, fixed before they were first read."""
    try:
        return [DrawnDigit(**row) for row in json.loads(DRAWN_DIGITS_FILE.read_text())]
    except (OSError, TypeError, ValueError) as error:
        raise DataError(f"{DRAWN_DIGITS_FILE} cannot be read ({error}): restore it from the repository") from error


def rasterise(strokes, pen_width=PEN_WIDTH, size=PAD_SIZE):
    """Strokes (lists of (x, y)) drawn with a round pen: ink uint8 ``[size, size]``, 0 paper … 255 ink.

    What leaves the pad is cut off at its edge, as on the screen.
    """
    fine = 2  # drawn twice as large and averaged, so that edges are grey
    image = Image.new("L", (fine * size, fine * size))
    pen, radius = ImageDraw.Draw(image), fine * pen_width / 2
    for stroke in strokes:
        points = [(fine * x, fine * y) for x, y in stroke]
        if len(points) > 1:
            pen.line(points, fill=255, width=fine * pen_width, joint="curve")
        for x, y in points:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image.reduce(fine))


def to_mnist(ink):
    """A drawing of one digit in the form MNIST's makers gave theirs: uint8 ``[28, 28]``.

    ``ink`` is ``[height, width]``, 0 paper … 255 ink (or float 0..1), of any size. As Y. LeCun, C. Cortes and
    C. Burges describe on *The MNIST database of handwritten digits*: the digit is "size normalized to fit in a
    20x20 pixel box while preserving [its] aspect ratio", grey because of anti-aliasing, and centred in 28 x 28
    "by computing the center of mass of the pixels, and translating the image so as to position this point at the
    center" (in their files: within half a pixel of pixel 14, counted from 0). Raises ``ValueError`` for an array of
    another kind, or one without ink.
    """
    ink = np.asarray(ink)
    if ink.ndim != 2 or 0 in ink.shape:
        raise ValueError(f"the drawing has shape {list(ink.shape)}: expected [height, width], one grey value a pixel")
    if ink.dtype.kind == "f" and ink.min() >= 0 and ink.max() <= 1:
        ink = np.rint(255 * ink).astype(np.uint8)
    if ink.dtype != np.uint8:
        raise ValueError(f"the drawing is {ink.dtype}: use uint8 in 0..255 or float in 0..1, ink high")
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        raise ValueError("the drawing is empty: there is no ink on it")
    cut = Image.fromarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    scale = BOX / max(cut.size)
    size = [max(1, round(scale * side)) for side in cut.size]
    digit = np.asarray(cut.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR))
    image = np.zeros((SIZE, SIZE), np.uint8)
    top, left = (_start(digit.sum(axis=axis, dtype=float)) for axis in (1, 0))
    image[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return image


def _start(weights):
    """Where ``weights`` along one side of a digit begin, so that their mean lies nearest to the centre pixel."""
    mean = (weights * np.arange(len(weights))).sum() / max(weights.sum(), 1)
    return int(np.clip(round(CENTRE - mean), 0, SIZE - len(weights)))


def read_picture(file):
    """Ink uint8 ``[height, width]`` of a picture of one digit, for ``to_mnist``: a photo of pen on paper, a PNG.

    Dark on light or light on dark; uneven light is evened by comparing each pixel with its surroundings, and ink is
    told from paper by Otsu's threshold (1979). A picture without anything much darker or lighter than its
    surroundings gives no ink at all. Raises ``DataError`` for a file that is no picture.
    """
    try:
        with Image.open(file) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{file} is no picture that can be read ({error}): give a PNG or JPEG file") from error
    grey = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("L")
    grey = ImageOps.contain(grey, (PAD_SIZE, PAD_SIZE))
    paper = grey.filter(ImageFilter.GaussianBlur(PAD_SIZE / 6))
    contrast = np.asarray(paper, int) - np.asarray(grey.filter(ImageFilter.MedianFilter(3)), int)
    if (contrast**3).sum() < 0:  # the few pixels far from their surroundings are lighter, not darker
        contrast = -contrast
    threshold = max(_otsu(contrast.clip(0)), FAINTEST_PEN)
    ink = Image.fromarray(np.where(contrast > threshold, 255, 0).astype(np.uint8))
    return np.asarray(ink.filter(ImageFilter.MedianFilter(3)))  # without specks


def _otsu(values):
    """The threshold that splits whole numbers 0..255 into two groups with the largest variance between them."""
    count = np.bincount(values.ravel(), minlength=256).astype(float)
    below, total = np.cumsum(count), np.cumsum(count * np.arange(256))
    above = below[-1] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (total / below - (total[-1] - total) / above) ** 2
    return int(np.nanargmax(np.where(above > 0, between, 0)))
