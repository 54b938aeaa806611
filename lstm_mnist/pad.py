"""A pad to draw a digit on, which an LSTM reads row by row: ``pad.js`` shows it, the kernel knows what is drawn."""

import base64
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from .data import load_mnist
from .drawing import PEN_WIDTH, REASONS, SIZE, load_drawn_digits, rasterise, to_mnist, why_no_digit
from .evaluation import most_confident_mistakes, predict_probabilities
from .inside import beliefs
from .lstm import LSTMClassifier

PAD_MODULE = Path(__file__).with_name("pad.js")

NOTES = {reason: f"This is not one digit yet: {words}." for reason, words in REASONS.items()} | {
    "empty": "Draw a digit, 0 to 9, with mouse, pen, finger or arrow keys."
}

EMPTY = {"strokes": [], "pen_width": PEN_WIDTH, "picture": ""}


class DigitPad(anywidget.AnyWidget):
    """A pad to draw a digit on, and all that an LSTM computes while it reads it, in JupyterLab, VS Code or Colab.

    ``model`` is an ``LSTMClassifier`` for rows of 28 pixels, of any size; ``compare`` a second one, whose belief is
    shown beside the first's. ``pictures`` are offered on the pad: a dict of headings, each a dict of names and images
    uint8 ``[28, 28]``. The pad keeps the weights as they are now. Raises ``TypeError`` or ``ValueError`` for a model or
    a picture of another kind.
    """

    _esm = PAD_MODULE
    data = traitlets.Dict().tag(sync=True)
    drawing = traitlets.Dict().tag(sync=True)  # the strokes, or a picture in their place; set here or by the page

    def __init__(self, model, compare=None, pictures=None):
        super().__init__(data=pad_data(model, compare, pictures), drawing=EMPTY)
        self.model = model

    def __repr__(self):
        return f"DigitPad({len(self.strokes)} stroke{'' if len(self.strokes) == 1 else 's'}: {self.note})"

    @property
    def strokes(self):
        """The strokes on the pad: lists of (x, y), 0 to 280, y downwards."""
        return self.drawing["strokes"]

    @property
    def image(self):
        """What the network reads: uint8 ``[28, 28]``, or ``None`` where there is not one digit."""
        return self._look()[0]

    @property
    def probabilities(self):
        """The belief after each row: ``[28, num_classes]``, or ``None`` where there is nothing to read."""
        image = self.image
        return None if image is None else beliefs(self.model, image[None])[0]

    @property
    def note(self):
        """The pad's answer in words, or why there is none."""
        image, reason = self._look()
        if image is None:
            return NOTES[reason]
        belief = self.probabilities[-1]
        article = "an" if belief.argmax() in (8, 11, 18) else "a"
        return f"I read {article} {belief.argmax()} ({belief.max():.0%})."

    def show(self, image):
        """Put an image uint8 ``[28, 28]``, such as one of MNIST's, on the pad in place of strokes."""
        self.drawing = EMPTY | {"picture": _encoded("the image", image)}

    def _look(self):
        """The image and no reason, or no image and the reason, a key of ``NOTES``."""
        if self.drawing["picture"]:
            image = np.frombuffer(base64.b64decode(self.drawing["picture"]), np.uint8).reshape(SIZE, SIZE)
        else:
            ink = rasterise(self.strokes, self.drawing["pen_width"])
            if not ink.any():
                return None, "empty"
            try:
                image = to_mnist(ink)
            except ValueError:  # hardly anything is left of it
                return None, "faint"
        reason = why_no_digit(image)
        return (None if reason else image), reason


def pad_data(model, compare=None, pictures=None, dtype="float32"):
    """What ``pad.js`` needs, a dict that JSON can hold.

    The networks' weights in ``dtype``, float32 or float16, and digits to choose.
    """
    return {
        "networks": [_network(each, dtype) for each in (model, compare) if each is not None],
        "drawn": [digit._asdict() for digit in load_drawn_digits()],
        "pictures": {
            heading: {name: _encoded(name, image) for name, image in images.items()}
            for heading, images in (pictures or {}).items()
        },
        "notes": NOTES,
    }


def known_pictures(model):
    """Test digits for the pad: one of each class, and the ten mistakes that ``model`` is surest of."""
    test = load_mnist().test
    firsts = [int(np.flatnonzero(test.labels == digit)[0]) for digit in range(test.num_classes)]
    belief = predict_probabilities(model, test.images)
    answers = belief.argmax(axis=1)
    surest = most_confident_mistakes(belief, test.labels, most=10)
    return {
        "test digits": {f"{test.labels[k]}, test image {k}": test.images[k] for k in firsts},
        "known mistakes": {f"{test.labels[k]} read as {answers[k]}, test image {k}": test.images[k] for k in surest},
    }


def _network(model, dtype):
    if not isinstance(model, LSTMClassifier):
        raise TypeError(f"model is a {type(model).__name__}: the pad shows the gates of an lstm_mnist.LSTMClassifier")
    if model.num_features != SIZE:
        raise ValueError(f"the model reads rows of {model.num_features} pixels: the pad makes rows of {SIZE}")
    weights = np.concatenate([np.ravel(weight) for weight in model.get_weights()]).astype(dtype)
    return {
        "name": model.name.removeprefix("pretrained_"),
        "hidden": model.num_hidden,
        "classes": model.num_classes,
        "type": dtype,
        "weights": base64.b64encode(weights.tobytes()).decode(),
    }


def _encoded(name, image):
    image = np.asarray(image)
    if image.shape != (SIZE, SIZE) or image.dtype != np.uint8:
        raise ValueError(f"{name} is {image.dtype} {list(image.shape)}: the pad shows uint8 [{SIZE}, {SIZE}]")
    return base64.b64encode(image.tobytes()).decode()
