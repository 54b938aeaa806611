"""Your own digit: from pen strokes or a photo to MNIST's form."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from .checks import check_number, check_path
from .files import DataError

DRAWN_DIGITS_FILE = Path(__file__).with_name("drawn_digits.json")

PAD_SIZE = 280  # pixels, ten for each of MNIST's

PEN_WIDTH = 20

SIZE, BOX, CENTRE = 28, 20, 14  # MNIST's image, the box that a digit fills in it, the pixel of its centre of mass

FAINTEST_PEN = 25  # grey levels of 255 between ink and paper

MOST_PIXELS = 50_000_000  # of a picture file; what is larger would fill the memory

DARK = 64  # the grey level from which a pixel belongs to a piece of the digit

#: why an image is not one digit; MNIST's own 70,000 images set the limits (notebook 06)
REASONS = {
    "empty": "there is no ink on it",
    "faint": "its lines are too faint or too thin: draw them darker or thicker",
    "blot": "it is filled with ink: leave paper between the lines",
    "wide": "it is wider than any digit: draw one digit",
    "two": "it falls into two pieces, like two digits: draw one digit",
}


class DrawnDigit(NamedTuple):
    """A digit drawn for this project: its strokes are lists of (x, y) on a pad of 280 x 280 pixels, y downwards."""

    digit: int
    way: str  # plain, thin, thick, small, off-centre, slanted, other form, hasty
    pen_width: int
    strokes: list


def load_drawn_digits():
    """This project's 80 ``DrawnDigit``: each of the ten digits in eight ways, fixed before they were first read."""
    return [DrawnDigit(**row) for row in json.loads(DRAWN_DIGITS_FILE.read_text())]


def rasterise(strokes, pen_width=PEN_WIDTH):
    """Strokes (lists of (x, y)) drawn with a round pen: ink uint8 ``[280, 280]``, 0 paper … 255 ink.

    A pixel's ink falls from full to none over the one pixel at the pen's edge. What leaves the pad is cut off, as on
    the screen; points more than a pad's width outside are moved in to there. Raises ``ValueError`` for a point that is
    no pair of finite numbers, or such a pen.
    """
    pen_width = check_number("pen_width", pen_width, most=4096)
    ink = np.zeros((PAD_SIZE, PAD_SIZE))
    for stroke in strokes:
        points = np.clip(_points(stroke), -PAD_SIZE, 2 * PAD_SIZE)
        for start, end in zip([*points[:1], *points], points, strict=False):
            _draw_line(ink, start, end, pen_width / 2)
    return np.floor(255 * ink + 0.5).astype(np.uint8)


def _points(stroke):
    """float64 ``[n, 2]``, or ``ValueError``."""
    try:
        points = np.array(list(stroke), np.float64)
    except (TypeError, ValueError):
        points = np.array(np.nan)
    if not points.size:
        return np.zeros((0, 2))
    if points.shape[1:] != (2,) or not np.isfinite(points).all():
        raise ValueError(f"a stroke is a list of points (x, y), finite numbers: not {stroke!r:.60}")
    return points


def _draw_line(ink, start, end, radius):
    """Darken the pixels whose middle lies within ``radius`` of the line from ``start`` to ``end``."""
    first = np.floor(np.minimum(start, end) - radius - 1).clip(0, len(ink)).astype(int)
    last = np.ceil(np.maximum(start, end) + radius + 1).clip(0, len(ink)).astype(int)
    window = ink[first[1] : last[1], first[0] : last[0]]
    x = np.arange(first[0], last[0]) + 0.5 - start[0]
    y = np.arange(first[1], last[1])[:, None] + 0.5 - start[1]
    dx, dy = end - start
    length = dx * dx + dy * dy
    along = ((x * dx + y * dy) / length).clip(0, 1) if length > 0 else 0.0
    x, y = x - along * dx, y - along * dy
    np.maximum(window, (radius + 0.5 - np.sqrt(x * x + y * y)).clip(0, 1), out=window)


def to_mnist(ink):
    """A drawing of one digit in the form MNIST's makers gave theirs: uint8 ``[28, 28]``.

    ``ink`` is uint8 ``[height, width]``, 0 paper … 255 ink, of any size. As Y. LeCun, C. Cortes and C. Burges describe
    on *The MNIST database of handwritten digits*: the digit is "size normalized to fit in a 20x20 pixel box while
    preserving [its] aspect ratio", grey because of anti-aliasing, and centred in 28 x 28 "by computing the center of
    mass of the pixels, and translating the image so as to position this point at the center" (in their files: within
    half a pixel of pixel 14, counted from 0). The pad does the same in ``toMnist`` of ``pad.js``: change both. Raises
    ``ValueError`` for an array of another kind, or one without ink or of which too little is left. A lopsided digit is
    moved no further than its box can go.
    """
    ink = np.asarray(ink)
    if ink.ndim != 2 or 0 in ink.shape:
        raise ValueError(f"the drawing has shape {list(ink.shape)}: expected [height, width], one grey value a pixel")
    if ink.dtype != np.uint8:
        raise ValueError(f"the drawing is {ink.dtype}: use uint8, 0 paper to 255 ink")
    if not ink.any():
        raise ValueError(f"the drawing is empty: {REASONS['empty']}")
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    digit = _in_box(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    if digit.max() < FAINTEST_PEN:
        raise ValueError(f"hardly anything is left of the drawing in a box of {BOX} pixels: {REASONS['faint']}")
    image = np.zeros((SIZE, SIZE), np.uint8)
    top, left = (_start(digit.sum(axis=axis)) for axis in (1, 0))
    image[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return image


def _in_box(cut):
    """``cut`` with its longer side scaled to 20 pixels, each the mean of what it covers. Whole numbers throughout."""
    longest = max(cut.shape)
    height, width = (max(1, (2 * BOX * side + longest) // (2 * longest)) for side in cut.shape)
    sums = _overlap(cut.shape[0], height) @ cut @ _overlap(cut.shape[1], width).T
    return ((2 * sums + cut.size) // (2 * cut.size)).astype(int)


def _overlap(old, new):
    """How much of each of ``old`` pixels lies in each of ``new`` ones along one side: ``[new, old]``, rows add to
    ``old``."""
    left, right = np.arange(new)[:, None] * old, np.arange(old) * new
    return (np.minimum(left + old, right + new) - np.maximum(left, right)).clip(0).astype(float)


def _start(weights):
    """Where ``weights`` along one side of a digit begin, so that their mean lies nearest to the centre pixel."""
    total, moment = int(weights.sum()), int(weights @ np.arange(len(weights)))
    start = ((2 * CENTRE + 1) * total - 2 * moment) // (2 * total)
    return min(max(start, 0), SIZE - len(weights))


def why_no_digit(image):
    """The key of ``REASONS`` for which an image in MNIST's form is not one digit, or ``None``; ``"empty"`` never.

    Raises ``ValueError`` for anything but uint8 ``[rows, columns]``.
    """
    image = np.asarray(image)
    if image.ndim != 2 or image.dtype != np.uint8:
        raise ValueError(f"the image is {image.dtype} {list(image.shape)}: give uint8 [28, 28], as to_mnist makes it")
    dark = image >= DARK
    if not dark.any():
        return "faint"
    top, bottom, left, right = _box(np.argwhere(dark))
    height, width = bottom - top + 1, right - left + 1
    if width > 2.25 * height:
        return "wide"
    if width > 0.6 * height and image.sum(dtype=int) > 0.75 * 255 * width * height:
        return "blot"
    tall = [box for box in map(_box, _pieces(dark)) if box[1] - box[0] + 1 >= 0.4 * height]
    for one in tall:
        for other in tall:
            if one[1] < other[0] or one[3] < other[2]:  # one above the other, or to its left
                return "two"
    return None


def _pieces(dark):
    """The groups of dark pixels that touch each other, at a side or a corner: lists of (row, column)."""
    left, pieces = {tuple(place) for place in np.argwhere(dark).tolist()}, []
    while left:
        piece = [left.pop()]
        for row, column in piece:  # which grows meanwhile
            around = {(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)} & left
            piece += around
            left -= around
        pieces.append(piece)
    return pieces


def _box(places):
    """First and last row, first and last column of the (row, column) in ``places``."""
    (top, left), (bottom, right) = np.min(places, axis=0), np.max(places, axis=0)
    return top, bottom, left, right


def read_picture(file):
    """Ink uint8 ``[height, width]`` of a picture of one digit, for ``to_mnist``: a photo of pen on paper, a PNG.

    Dark on light or light on dark; uneven light is evened by comparing each pixel with its surroundings, and ink is
    told from paper by Otsu's threshold (1979). Raises ``DataError`` for a file that is no picture, has more than 50
    million pixels, or shows anything but one digit with paper around it; ``TypeError`` for what is no file.
    """
    file = check_path("file", file)
    grey = _open_grey(file)
    rim = np.median(np.concatenate(_sides(np.asarray(grey))))
    if abs(rim - np.median(grey)) > 2 * FAINTEST_PEN:
        raise DataError("the picture's border is darker or lighter than the paper: cut it off")
    paper = grey.filter(ImageFilter.GaussianBlur(PAD_SIZE / 6))
    contrast = np.asarray(paper, int) - np.asarray(grey.filter(ImageFilter.MedianFilter(3)), int)
    if (contrast**3).sum() < 0:  # the few pixels far from their surroundings are lighter, not darker
        contrast = -contrast
    threshold = max(_otsu(contrast.clip(0)), FAINTEST_PEN)
    ink = Image.fromarray(np.where(contrast > threshold, 255, 0).astype(np.uint8))
    ink = np.asarray(ink.filter(ImageFilter.MedianFilter(3)))  # without specks
    if sum(np.count_nonzero(side) > 2 for side in _sides(ink)) > 1:
        raise DataError("the picture has ink at two of its edges: show one digit with plain paper around it")
    try:
        reason = why_no_digit(to_mnist(ink))
    except ValueError as error:
        raise DataError(str(error)) from error
    if reason:
        raise DataError(f"the picture shows no single digit: {REASONS[reason]}")
    return ink


def _open_grey(file):
    """The picture, grey, at most 280 pixels a side, upright; on white paper, or black where that leaves nothing."""
    try:
        with Image.open(file) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise ValueError(f"{opened.width} x {opened.height} pixels are more than 50 million")
            if opened.mode[0] in "IF":  # more than 8 bits, of which Pillow would keep the darkest 256 steps alone
                raise ValueError(f"its pixels are numbers of mode {opened.mode}: save it with 8 bits")
            picture = ImageOps.contain(ImageOps.exif_transpose(opened).convert("RGBA"), (PAD_SIZE, PAD_SIZE))
            if 0 in picture.size:
                raise ValueError(f"{opened.width} x {opened.height} pixels are a line")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{file} is no picture that can be read ({error}): give a PNG or JPEG file") from error
    on_white, on_black = (
        Image.alpha_composite(Image.new("RGBA", picture.size, paper), picture).convert("L")
        for paper in ("white", "black")
    )
    return on_black if on_white.getextrema()[0] > 255 - FAINTEST_PEN else on_white


def _sides(picture):
    return picture[0], picture[-1], picture[:, 0], picture[:, -1]


def _otsu(values):
    """The threshold that splits whole numbers 0..255 into two groups with the largest variance between them."""
    count = np.bincount(values.ravel(), minlength=256).astype(float)
    below, total = np.cumsum(count), np.cumsum(count * np.arange(256))
    above = below[-1] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (total / below - (total[-1] - total) / above) ** 2
    return int(np.nanargmax(np.where(above > 0, between, 0)))
