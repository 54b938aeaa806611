"""``python -m lstm_mnist figures``: remake the pictures of README."""

from pathlib import Path

from .. import plots
from ..data import load_mnist
from ..files import all_or_nothing
from ..inside import HERO, accuracy_by_row, beliefs, decision_rows, principal_axes, shown_states, trace
from ..pretrained import load_pretrained


def make_figures(folder):
    """Remake the README's pictures in ``folder``: each is there whole or not at all. Returns the paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    test, every_row = load_mnist().test, load_pretrained("every_row")
    image, label = test.images[HERO], test.labels[HERO]
    states, belief = shown_states(every_row, image), beliefs(every_row, image[None])
    rows = range(1, belief.shape[1] + 1)
    plots.animation(
        [plots.reading_frame(image, states, belief[0], t) for t in rows],
        folder / "hero.gif",
        [150 if t < 5 else 3000 if t == rows[-1] else 350 for t in rows],
    )
    late = load_pretrained("2019")
    curves = {
        name: 100 * accuracy_by_row(beliefs(model, test.images), test.labels)
        for name, model in (("taught to answer after every row", every_row), ("taught after the last row (2019)", late))
    }
    h = trace(late, test.images[:1000]).h
    mean, axes, _ = principal_axes(h)
    stills = {
        "reading": plots.reading(image, states, belief[0], label, int(decision_rows(belief)[0])),
        "accuracy_by_row": plots.lines(rows, curves, "rows read", "test accuracy, %"),
        "paths": plots.paths((h - mean) @ axes.T, test.labels[:1000]),
    }
    for name, fig in stills.items():
        with all_or_nothing(folder / f"{name}.png") as path:
            fig.savefig(path, format="png", dpi=100, facecolor="white", metadata={"Software": None})
    return [folder / "hero.gif", *(folder / f"{name}.png" for name in stills)]
