"""``python -m lstm_mnist figures``: remake the moving picture of README."""

from pathlib import Path

from .. import plots
from ..data import load_mnist
from ..inside import HERO, beliefs, shown_states
from ..pretrained import load_pretrained


def make_figures(folder):
    """Write ``hero.gif`` in ``folder``, whole or not at all: ``best_every_row`` reads a digit. Returns its path."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model, image = load_pretrained("best_every_row"), load_mnist().test.images[HERO]
    states = shown_states(model, image)
    belief = beliefs(model, image[None])[0]
    frames, milliseconds = [], []
    for t in range(1, len(belief) + 1):
        frames.append(plots.reading_frame(image, states, belief, t))
        milliseconds.append(150 if t < 5 else 350)
    milliseconds[-1] = 3000
    path = folder / "hero.gif"
    plots.animation(frames, path, milliseconds)
    return path
