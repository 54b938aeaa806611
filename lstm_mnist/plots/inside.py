"""Pictures of notebook 05."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from .style import BLACK, BLUE, GREEN, ORANGE, PINK, RED, SKY, new_figure, show_image

SIGNED = LinearSegmentedColormap.from_list("signed", [BLUE, SKY, "white", ORANGE, "#8A3D00"])

GATE_COLOURS = {"i": GREEN, "f": BLUE, "o": RED}

SHARES = {name: LinearSegmentedColormap.from_list(name, ["white", colour]) for name, colour in GATE_COLOURS.items()}

BELIEF = LinearSegmentedColormap.from_list("belief", ["white", PINK, "#3D0C2B"])

STATE_TITLES = {
    "f": "forget\ngate f",
    "i": "input\ngate i",
    "candidate": "candi-\ndate",
    "c": "memory\nc",
    "o": "output\ngate o",
    "h": "shown\nh",
}


def show_states(axes, bars, states, t, size):
    """Each of ``states`` ``[time_steps, cells]`` as a heat map up to row ``t``, row 1 on top; its scale in ``bars``."""
    for ax, bar, (name, values) in zip(axes, bars, states.items(), strict=True):
        high = np.ceil(np.abs(values).max()) if name == "c" else 1
        low, colours = (0, SHARES[name]) if name in SHARES else (-high, SIGNED)
        read = np.where(np.arange(len(values))[:, None] < t, values, np.nan)
        picture = ax.imshow(read, cmap=colours, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
        ax.set(facecolor="#ECECEC", xticks=[], yticks=[])
        ax.set_title(STATE_TITLES[name], fontsize=size)
        show_scale(bar, picture, f"{low:.0f}", f"{high:.0f}", size)


def show_scale(ax, picture, low, high, size):
    """A colour bar in ``ax`` with words at its ends, which stay within it, apart from those of its neighbours."""
    bar = ax.figure.colorbar(picture, cax=ax, orientation="horizontal")
    bar.set_ticks([picture.norm.vmin, picture.norm.vmax], labels=[low, high], fontsize=0.85 * size)
    for label, side in zip(ax.get_xticklabels(), ("left", "right"), strict=True):
        label.set_horizontalalignment(side)


def frame_row(axes, t):
    """Frame row ``t``, counted from 1, in each picture."""
    for ax in axes:
        ax.axhspan(t - 1.5, t - 0.5, fill=False, color=BLACK, linewidth=1.8, clip_on=False, zorder=5)


def reading(image, states, belief, label, decided):
    """A whole digit at once: image, states and belief after every row, side by side on the same 28 lines.

    ``states`` maps names of ``STATE_TITLES`` to ``[time_steps, cells]``; ``belief`` is ``[time_steps, classes]``;
    ``label`` may be ``None``; ``decided`` is the row of decision, counted from 1.
    """
    time_steps, classes = belief.shape
    widths = (2.3, *[0.9] * len(states), 1.5)
    width = 4.5 + 0.9 * len(states)
    fig, (axes, bars) = new_figure(width, 3.9, 2, len(widths), width_ratios=widths, height_ratios=(20, 1))
    show_image(axes[0], image, "what is read" if label is None else f"true digit: {label}")
    axes[0].set(aspect="auto", ylabel="row t, from top to bottom")
    axes[0].set_yticks(range(0, time_steps, 3), range(1, time_steps + 1, 3), fontsize=10)
    bars[0].axis("off")
    show_states(axes[1:-1], bars[1:-1], states, time_steps, size=10)
    picture = axes[-1].imshow(belief, cmap=BELIEF, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes[-1].set(xticks=range(classes), yticks=[])
    axes[-1].set_title("belief", fontsize=10)
    axes[-1].xaxis.tick_top()
    axes[-1].tick_params(length=0, labelsize=10)
    show_scale(bars[-1], picture, "0 %", "100 %", size=10)
    frame_row(axes, decided)
    fig.supxlabel(f"framed: after row {decided} the answer is {belief[-1].argmax()} and stays so", fontsize=10)
    return fig


def accuracy_table(accuracy, quartiles):
    """Accuracy ``[classes, time_steps]`` after each row for each digit, and where the decisions of each fall.

    ``quartiles`` ``[classes, 3]`` are the first, second and third quartile of the row of decision.
    """
    classes, time_steps = accuracy.shape
    low, median, high = np.transpose(quartiles)
    fig, ax = new_figure(8, 3.2)
    picture = ax.imshow(100 * accuracy, cmap="cividis", vmin=0, vmax=100, aspect="auto",
                        extent=(0.5, time_steps + 0.5, classes - 0.5, -0.5))  # fmt: skip
    ax.errorbar(median, range(classes), xerr=[median - low, high - median], fmt="D", color=BLACK, ecolor=BLACK,
                markerfacecolor="white", capsize=4, label="row of decision: median and quartiles")  # fmt: skip
    ax.set(yticks=range(classes), ylabel="true digit", xlabel="rows read")
    ax.legend(loc="lower right")
    fig.colorbar(picture, label="accuracy, %")
    return fig


def pixel_maps(images, maps, answers):
    """Digits over their maps: ``maps`` names arrays ``[n, rows, columns]``, each drawn by its own greatest value."""
    n = len(images)
    fig, axes = new_figure(1.45 * n + 1, 1.5 * (1 + len(maps)), 1 + len(maps), n, squeeze=False)
    for k in range(n):
        show_image(axes[0, k], images[k], f"answer {answers[k]}")
        for ax, values in zip(axes[1:, k], maps.values(), strict=True):
            limit = np.abs(values[k]).max()
            ax.imshow(values[k], cmap=SIGNED, vmin=-limit, vmax=limit)
            ax.contour(images[k], levels=[images[k].max() / 2], colors=BLACK, linewidths=0.7)
            ax.set(xticks=[], yticks=[])
    for ax, name in zip(axes[:, 0], ("image", *maps), strict=True):
        ax.set_ylabel(name)
    scale = plt.cm.ScalarMappable(plt.Normalize(-1, 1), SIGNED)
    fig.colorbar(scale, ax=axes[1:], ticks=[-1, 0, 1], label="share of the map's greatest value")
    return fig
