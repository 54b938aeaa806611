"""Pictures of notebook 05."""

import io

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from PIL import Image

from ..files import all_or_nothing
from .style import BLACK, BLUE, GATE_COLOURS, GREEN, ORANGE, PINK, SKY, new_figure, show_image

SIGNED = LinearSegmentedColormap.from_list("signed", [BLUE, SKY, "white", ORANGE, "#8A3D00"])

SHARES = {name: LinearSegmentedColormap.from_list(name, ["white", GATE_COLOURS[name]]) for name in ("i", "f", "o")}

BELIEF = LinearSegmentedColormap.from_list("belief", ["white", PINK, "#3D0C2B"])

STATE_TITLES = {
    "f": "forget\ngate f",
    "i": "input\ngate i",
    "candidate": "candi-\ndate",
    "c": "memory\nc",
    "o": "output\ngate o",
    "h": "shown\nh",
}


def show_state(ax, name, values, limit=None):
    """One state ``[time_steps, cells]`` as a heat map, row 1 on top: a gate in 0..1, any other in ±``limit``."""
    time_steps, cells = values.shape
    limit = limit or (float(np.ceil(np.nanmax(np.abs(values)))) if name == "c" else 1.0)
    low, colours = (0, SHARES[name]) if name in SHARES else (-limit, SIGNED)
    ax.set(facecolor="#ECECEC", xticks=[], yticks=[], xlim=(-0.5, cells - 0.5), ylim=(time_steps - 0.5, -0.5))
    return ax.imshow(values, cmap=colours, vmin=low, vmax=limit if name not in SHARES else 1, aspect="auto",
                     interpolation="nearest", extent=(-0.5, cells - 0.5, time_steps - 0.5, -0.5))  # fmt: skip


def _show_states(fig, axes, states, t, size):
    """The heat maps of ``states``, filled up to row ``t``, each with its scale below; the row just read is framed."""
    for ax, (name, values) in zip(axes, states.items(), strict=True):
        limit = float(np.ceil(np.abs(values).max())) if name == "c" else 1.0
        read = np.where(np.arange(len(values))[:, None] < t, values, np.nan)
        picture = show_state(ax, name, read, limit)
        ax.set_title(STATE_TITLES[name], fontsize=size)
        bar = fig.colorbar(picture, ax=ax, orientation="horizontal", aspect=9, pad=0.03)
        low = 0 if name in SHARES else -limit
        bar.set_ticks([low, limit], labels=[f"{low:.0f}", f"{limit:.0f}"], fontsize=size * 0.85)
        _keep_within(bar)
        bar.outline.set_linewidth(0.5)


def _keep_within(bar):
    """The labels at the two ends of a horizontal colour bar stay within it, apart from those of its neighbours."""
    left, right = bar.ax.get_xticklabels()
    left.set_horizontalalignment("left")
    right.set_horizontalalignment("right")


def _reading_line(axes, t):
    for ax in axes:
        left, right = ax.get_xlim()
        ax.add_patch(plt.Rectangle((left, t - 1.5), right - left, 1, fill=False, color=BLACK, linewidth=1.8,
                                   clip_on=False, zorder=5))  # fmt: skip


def reading_frame(image, states, belief, t, size=15):
    """A digit at the moment when row ``t`` (from 1) has been read: the image, its states so far, the belief below.

    ``states`` maps names of ``STATE_TITLES`` to ``[time_steps, cells]``; ``belief`` ``[time_steps, classes]``.
    """
    time_steps, classes = belief.shape
    fig = plt.figure(figsize=(8, 5.9), layout="constrained", facecolor="white")
    plt.close(fig)
    fig.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    upper, lower = fig.subfigures(2, 1, height_ratios=(3.6, 2.1))
    axes = upper.subplots(1, 1 + len(states), width_ratios=(2.9, *[0.95] * len(states)))
    seen = np.where(np.arange(time_steps)[:, None] < t, image, 0.18 * image)
    show_image(axes[0], seen.astype(image.dtype), None)
    axes[0].set_title(f"row {t} of {time_steps}", fontsize=size * 1.15)
    axes[0].set_aspect("auto")
    blank = upper.colorbar(axes[0].images[0], ax=axes[0], orientation="horizontal", aspect=27, pad=0.03)
    blank.ax.set_visible(False)
    _show_states(upper, axes[1:], states, t, size)
    _reading_line(axes, t)
    ax = lower.subplots()
    now, answer = belief[t - 1], int(belief[t - 1].argmax())
    ax.bar(range(classes), now, 0.82, color=[ORANGE if k == answer else SKY for k in range(classes)],
           edgecolor=[BLACK if k == answer else "none" for k in range(classes)], linewidth=1.5)  # fmt: skip
    ax.set(xticks=range(classes), ylim=(0, 1), xlim=(-0.6, classes - 0.4), yticks=[0, 0.5, 1])
    ax.tick_params(axis="x", labelsize=size * 1.4, length=0)
    ax.set_yticks([0, 0.5, 1], labels=["0 %", "50 %", "100 %"], fontsize=size * 0.85)
    ax.set_title(f"after this row it believes: {answer}, {100 * now[answer]:.0f} %", fontsize=size * 1.15)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#DDDDDD")
    ax.set_axisbelow(True)
    return fig


def reading(image, states, belief, label, decided, size=10):
    """A whole digit at once: image, states and belief after every row, side by side on the same 28 lines."""
    time_steps, classes = belief.shape
    fig, axes = new_figure(9, 3.9, columns=2 + len(states), width_ratios=(2.3, *[0.9] * len(states), 1.5))
    show_image(axes[0], image, f"true digit: {label}")
    axes[0].set_aspect("auto")
    axes[0].set(ylabel="row t, from top to bottom", yticks=range(0, time_steps, 3))
    axes[0].set_yticklabels(range(1, time_steps + 1, 3), fontsize=size)
    blank = fig.colorbar(axes[0].images[0], ax=axes[0], orientation="horizontal", aspect=22, pad=0.03)
    blank.ax.set_visible(False)
    _show_states(fig, axes[1:-1], states, time_steps, size)
    ax = axes[-1]
    picture = ax.imshow(belief, cmap=BELIEF, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    ax.set(xticks=range(classes), yticks=[])
    ax.set_title("belief", fontsize=size)
    ax.xaxis.set_ticks_position("top")
    ax.tick_params(length=0, labelsize=size)
    bar = fig.colorbar(picture, ax=ax, orientation="horizontal", aspect=14, pad=0.03)
    bar.set_ticks([0, 1], labels=["0 %", "100 %"], fontsize=size * 0.85)
    _keep_within(bar)
    _reading_line(axes, decided)
    fig.supxlabel(f"framed: after row {decided} the answer is {belief[-1].argmax()} and stays so", fontsize=size)
    return fig


def animation(figures, path, milliseconds, dpi=125):
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


def state_ranges(states):
    """How often each value occurs in some states, ``{name: array}``, on a logarithmic axis."""
    fig, ax = new_figure(8, 2.8)
    top = int(np.ceil(max(np.abs(values).max() for values in states.values())))
    for (name, values), colour, style in zip(states.items(), (BLUE, ORANGE, GREEN), ("-", "--", ":"), strict=False):
        share, edges = np.histogram(values, bins=np.linspace(-top, top, 20 * top + 1))
        ax.stairs(100 * share / values.size, edges, color=colour, linestyle=style, label=name, linewidth=1.5)
    ax.set(yscale="log", xlabel="value (no unit)", ylabel="share of all values, %")
    ax.legend()
    return fig
