"""``python -m lstm_mnist figures``: remake the moving picture of README."""

import io

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from ..data import load_mnist
from ..files import all_or_nothing
from ..inside import HERO, beliefs, shown_states
from ..plots.inside import frame_row, show_states
from ..plots.style import BLACK, ORANGE, SKY, show_image
from ..pretrained import load_pretrained


def make_figures(path):
    """Write the GIF ``path``, whole or not at all: ``best_every_row`` reads a digit."""
    model, image = load_pretrained("best_every_row"), load_mnist().test.images[HERO]
    states = shown_states(model, image)
    belief = beliefs(model, image[None])[0]
    rows = range(1, len(belief) + 1)
    frames = [reading_frame(image, states, belief, t) for t in rows]
    milliseconds = [150 if t < 5 else 350 for t in rows[:-1]] + [3000]
    save_animation(frames, path, milliseconds)


def reading_frame(image, states, belief, t):
    """A digit at the moment when row ``t`` (from 1) has been read: the image, its states so far, the belief below."""
    time_steps, size = len(image), 15  # of its letters
    fig = plt.figure(figsize=(8, 5.9), layout="constrained", facecolor="white")
    plt.close(fig)
    fig.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    upper, lower = fig.subfigures(2, 1, height_ratios=(3.6, 2.1))
    widths = (2.9, *[0.95] * len(states))
    axes, bars = upper.subplots(2, len(widths), width_ratios=widths, height_ratios=(18, 1))
    seen = np.where(np.arange(time_steps)[:, None] < t, image, 0.18 * image)
    show_image(axes[0], seen.astype(image.dtype))
    axes[0].set_title(f"row {t} of {time_steps}", fontsize=1.15 * size)
    axes[0].set_aspect("auto")
    bars[0].axis("off")
    show_states(axes[1:], bars[1:], states, t, size)
    frame_row(axes, t)
    _show_belief(lower.subplots(), belief[t - 1], size)
    return fig


def _show_belief(ax, belief, size):
    classes, answer = range(len(belief)), int(belief.argmax())
    ax.bar(classes, belief, 0.82, color=[ORANGE if k == answer else SKY for k in classes],
           edgecolor=[BLACK if k == answer else "none" for k in classes], linewidth=1.5)  # fmt: skip
    ax.set(xticks=classes, ylim=(0, 1), xlim=(-0.6, len(belief) - 0.4))
    ax.tick_params(axis="x", labelsize=1.4 * size, length=0)
    ax.set_yticks([0, 0.5, 1], labels=["0 %", "50 %", "100 %"], fontsize=0.85 * size)
    ax.set_title(f"after this row it believes: {answer}, {100 * belief[answer]:.0f} %", fontsize=1.15 * size)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#DDDDDD")
    ax.set_axisbelow(True)


def save_animation(figures, path, milliseconds, dpi=125):
    """Save figures as an endless GIF, each shown for its ``milliseconds``, all or nothing."""
    frames = []
    for fig in figures:
        page = io.BytesIO()
        fig.savefig(page, dpi=dpi, facecolor="white")
        frames.append(Image.open(page).convert("RGB"))
    palette = frames[-1].quantize(207, method=Image.Quantize.MEDIANCUT)
    colours = np.array(palette.getpalette()[: 3 * 207]).reshape(-1, 3)
    colours[colours.min(axis=1) > 245] = 255  # nearly white is white
    greys = np.repeat(np.arange(0, 245, 5), 3)
    palette.putpalette([*colours.ravel().tolist(), *greys.tolist()])
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    with all_or_nothing(path) as beside:
        frames[0].save(beside, "GIF", save_all=True, append_images=frames[1:], duration=milliseconds, loop=0)
