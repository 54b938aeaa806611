"""The pictures: every function takes arrays and returns a ``matplotlib.figure.Figure``; none knows TensorFlow."""

import io
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import LogLocator
from PIL import Image

# Okabe and Ito's palette, which colour-blind readers can tell apart.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY = "#767676"
GATE_COLOURS = {"i": GREEN, "f": BLUE, "c": ORANGE, "o": RED}
CELL_PARTS = ("inputs", "forget", "input", "candidate", "memory", "output")


def new_figure(width=8.0, height=3.0, rows=1, columns=1, **kwargs):
    """A figure of ``width`` x ``height`` inches and its axes, not left open in pyplot, so it is shown once."""
    fig, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained", **kwargs)
    plt.close(fig)
    return fig, axes


def show_image(ax, image, title=None):
    """One digit, black on white, without ticks."""
    ax.imshow(image, cmap="gray_r", vmin=0, vmax=255 if image.dtype == np.uint8 else 1)
    ax.set(xticks=[], yticks=[], title=title)


def digits(images, titles=None, columns=10):
    """Images ``[n, rows, columns]`` side by side, each under its title."""
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    fig, axes = new_figure(0.8 * columns + 0.4, (1.15 if titles is not None else 0.85) * rows, rows, columns)
    for k, ax in enumerate(np.atleast_1d(axes).flat):
        if k < len(images):
            show_image(ax, images[k])
            if titles is not None:
                ax.set_title(titles[k], fontsize=8)
        else:
            ax.axis("off")
    return fig


def row_as_features(image, t):
    """An image with row ``t`` (counted from 1) marked, beside that row's pixels as a bar chart."""
    fig, (left, right) = new_figure(8, 2.8, columns=2, width_ratios=(1, 2))
    show_image(left, image, f"one sequence of {len(image)} rows")
    left.add_patch(plt.Rectangle((-0.5, t - 1.5), image.shape[1], 1, fill=False, color=RED, linewidth=2))
    left.set_ylabel(f"row t = {t} is marked")
    right.bar(np.arange(1, image.shape[1] + 1), image[t - 1], color=RED)
    right.set(
        xlabel="column (feature number)",
        ylabel="pixel value, 0..255" if image.dtype == np.uint8 else "pixel value, 0..1",
        title=f"what the LSTM is given at step t = {t}: {image.shape[1]} numbers",
    )
    return fig


def class_shares(labels, names):
    """How often each class occurs in several label arrays, as grouped bars of per cent."""
    fig, ax = new_figure(8, 2.8)
    width = 0.8 / len(labels)
    for k, (values, name, hatch) in enumerate(zip(labels, names, ("", "//", ".."), strict=False)):
        share = 100 * np.bincount(values, minlength=10) / len(values)
        ax.bar(np.arange(10) + (k - (len(labels) - 1) / 2) * width, share, width, hatch=hatch, label=name,
               color=(SKY, ORANGE, GREEN)[k % 3], edgecolor="white")  # fmt: skip
    ax.set(xticks=range(10), xlabel="digit", ylabel="share of the split, %", ylim=(0, 15))
    ax.legend(ncols=3, loc="upper center")
    return fig


def squashing():
    """The two curves that every gate is made of: sigmoid and tanh."""
    z = np.linspace(-6, 6, 241)
    fig, ax = new_figure(8, 2.6)
    ax.plot(z, 1 / (1 + np.exp(-z)), color=BLUE, label="sigmoid: a valve, 0 shut … 1 open")
    ax.plot(z, np.tanh(z), color=ORANGE, linestyle="--", label="tanh: a value, −1 … 1")
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set(xlabel="z, the weighted sum", ylabel="output")
    ax.legend(loc="upper left")
    return fig


def lstm_cell(upto="output"):
    """One LSTM step drawn up to a part of ``CELL_PARTS``; the newest part is the bold one."""
    if upto not in CELL_PARTS:
        raise ValueError(f"upto is {upto!r}: use one of {', '.join(CELL_PARTS)}")
    shown = CELL_PARTS.index(upto)
    fig, ax = new_figure(8, 3.9)
    ax.set(xlim=(-0.2, 10.4), ylim=(-0.3, 5.7))
    ax.axis("off")

    def line(part, colour, *points, arrow=True):
        width = 2.6 if CELL_PARTS.index(part) == shown else 1.3
        *bends, end = points
        if len(bends) > 1:
            ax.plot(*zip(*bends, strict=True), color=colour, linewidth=width, solid_capstyle="round")
        style = {
            "arrowstyle": "-|>" if arrow else "-",
            "color": colour,
            "linewidth": width,
            "shrinkA": 0,
            "shrinkB": 0,
        }
        ax.annotate("", end, bends[-1], arrowprops=style)

    def node(part, x, y, text, colour, wide=0.42):
        box = {"boxstyle": f"round,pad={wide}", "facecolor": "white", "edgecolor": colour}
        ax.text(x, y, text, ha="center", va="center", color=colour, fontsize=11,
                bbox=box | {"linewidth": 2.6 if CELL_PARTS.index(part) == shown else 1.3})  # fmt: skip

    line(
        "inputs",
        BLACK,
        (0.3, 1),
        (2.2 + 4.8 * (shown >= 5) + 3 * (shown in (3, 4)) + 1.6 * (shown == 2), 1),
        arrow=False,
    )
    line("inputs", BLACK, (1.1, 0.25), (1.1, 1))
    line("inputs", GREY, (0.3, 5), (8.0 if shown else 1.6, 5), arrow=not shown)
    ax.text(0.2, 1, "$h_{t-1}$", ha="right", va="center", fontsize=13)
    ax.text(1.1, 0.1, "$x_t$ (row t, 28 pixels)", ha="center", va="top", fontsize=11)
    ax.text(0.2, 5, "$c_{t-1}$", ha="right", va="center", fontsize=13)
    if shown >= 1:
        line("forget", BLUE, (2.2, 1), (2.2, 4.75))
        node("forget", 2.2, 2.2, "σ  $f_t$", BLUE)
        node("forget", 2.2, 5, "×", BLUE, 0.25)
    if shown >= 2:
        line("input", GREEN, (3.8, 1), (3.8, 3.6), (4.95, 3.6))
        node("input", 3.8, 2.2, "σ  $i_t$", GREEN)
    if shown >= 3:
        line("candidate", ORANGE, (5.2, 1), (5.2, 3.4))
        node("candidate", 5.2, 2.2, "tanh  $\\tilde{c}_t$", ORANGE)
        node("candidate", 5.2, 3.6, "×", ORANGE, 0.25)
    if shown >= 4:
        line("memory", BLACK, (5.2, 3.85), (5.2, 4.75))
        line("memory", BLACK, (2.5, 5), (9.9, 5))
        node("memory", 5.2, 5, "+", BLACK, 0.25)
        ax.text(10.0, 5, "$c_t$", va="center", fontsize=13)
    if shown >= 5:
        line("output", RED, (7.0, 1), (7.0, 2.9), (8.1, 2.9))
        node("output", 7.0, 2.2, "σ  $o_t$", RED)
        line("output", RED, (8.35, 5), (8.35, 3.15))
        node("output", 8.35, 4.1, "tanh", RED, 0.3)
        line("output", RED, (8.35, 2.65), (8.35, 1), (9.9, 1))
        node("output", 8.35, 2.9, "×", RED, 0.25)
        ax.text(10.0, 1, "$h_t$", va="center", fontsize=13)
    return fig


def unrolled(image, shown=(1, 2, 3, 14, 28)):
    """The same cell at several rows of a digit, h and c handed on from one to the next."""
    fig, ax = new_figure(8, 3)
    ax.set(xlim=(-0.9, 2 * len(shown) + 1.1), ylim=(-1.3, 2.7))
    ax.axis("off")
    for k, t in enumerate(shown):
        x = 2 * k
        ax.text(x, 1, "LSTM", ha="center", va="center", bbox={"boxstyle": "round,pad=0.5", "facecolor": "white"})
        ax.imshow(image[t - 1 : t], cmap="gray_r", extent=(x - 0.8, x + 0.8, -0.55, -0.3), aspect="auto", zorder=2)
        ax.add_patch(plt.Rectangle((x - 0.8, -0.55), 1.6, 0.25, fill=False, color=GREY, zorder=3))
        ax.text(x, -0.75, f"$x_{{{t}}}$: row {t}", ha="center", va="top")
        ax.annotate("", (x, 0.65), (x, -0.25), arrowprops={"arrowstyle": "-|>"})
        last = k == len(shown) - 1
        gap = not last and shown[k + 1] != t + 1
        for y, name in ((1.22, "c"), (0.8, "h")):
            ax.annotate(
                "",
                (x + 1.5, y),
                (x + 0.55, y),
                arrowprops={"arrowstyle": "-|>", "color": BLUE if name == "c" else RED},
            )
            ax.text(x + 0.95, y + 0.1, f"${name}_{{{t}}}$" + (" …" if gap else ""), ha="center", fontsize=9)
    ax.text(2 * k + 1.55, 1.22, "kept inside", va="center", fontsize=9, color=BLUE)
    ax.text(2 * k + 1.55, 0.8, "output layer:\n10 logits", va="top", fontsize=9, color=RED)
    ax.text(k, 2.3, "one cell, the same weights at every row", ha="center", style="italic")
    ax.set_aspect("auto")
    return fig


def operation_counts(counts, most=10):
    """Operations of several graphs, ``{graph: {kind: number}}``, the commonest kinds as grouped bars."""
    totals = {}
    for kinds in counts.values():
        for kind, number in kinds.items():
            totals[kind] = totals.get(kind, 0) + number
    kinds = sorted(totals, key=totals.get, reverse=True)[:most]
    fig, ax = new_figure(8, 0.34 * len(kinds) + 1)
    height = 0.8 / len(counts)
    for k, (name, colour) in enumerate(zip(counts, (BLUE, ORANGE, GREEN), strict=False)):
        bars = ax.barh(np.arange(len(kinds)) + (k + 0.5) * height - 0.4, [counts[name].get(kind, 0) for kind in kinds],
                       height, color=colour, label=f"{name}: {sum(counts[name].values())} operations")  # fmt: skip
        ax.bar_label(bars, padding=3, fontsize=8)
    ax.set(yticks=range(len(kinds)), yticklabels=kinds, xlabel="number of operations in the graph")
    ax.invert_yaxis()
    ax.margins(x=0.1)
    ax.legend(loc="lower right")
    return fig


def smooth(values, window):
    """Running mean over ``window`` values: ``[n - window + 1]``."""
    return np.convolve(values, np.ones(window) / window, mode="valid")


def training_curves(history, window=50):
    """Loss, accuracy and gradient norm of each step: dots, and their mean over ``window`` steps as a line."""
    fig, axes = new_figure(8, 6, rows=3, sharex=True)
    names = ("loss, nats", "accuracy of the batch", "gradient norm")
    for ax, values, name, colour in zip(axes, history[:3], names, (BLUE, GREEN, RED), strict=True):
        steps = np.arange(1, len(values) + 1)
        ax.plot(steps, values, ".", markersize=1.5, color=GREY, alpha=0.5, label="each step")
        ax.plot(steps[window - 1 :], smooth(values, window), color=colour, label=f"mean of {window} steps")
        ax.set(ylabel=name)
        ax.legend(loc="best")
    axes[0].set_yscale("log")
    axes[2].set_xlabel("step (update of the weights)")
    return fig


def lines(x, series, xlabel, ylabel, log=False):
    """Named curves ``{name: y}`` over one ``x``, told apart by colour, line style and legend."""
    fig, ax = new_figure(8, 3)
    styles = ("-", "--", ":", "-.")
    for k, (name, y) in enumerate(series.items()):
        ax.plot(x, y, styles[k % 4], color=(BLUE, ORANGE, GREEN, RED, PINK, BLACK)[k % 6], label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log else "linear")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


def intervals(names, centres, lows, highs, xlabel="accuracy"):
    """Point and interval, one line a name."""
    centres, lows, highs = (np.asarray(values, float) for values in (centres, lows, highs))
    fig, ax = new_figure(8, 0.5 * len(names) + 1)
    places = np.arange(len(names))
    ax.errorbar(centres, places, xerr=[centres - lows, highs - centres], fmt="o", color=BLUE, capsize=4)
    for place, centre, low, high in zip(places, centres, lows, highs, strict=True):
        ax.annotate(f"{centre:.4f}  [{low:.4f}, {high:.4f}]", (centre, place), (0, 7), textcoords="offset points",
                    ha="center", fontsize=8)  # fmt: skip
    ax.set(yticks=places, yticklabels=names, xlabel=xlabel, ylim=(-0.6, len(names) - 0.3))
    ax.invert_yaxis()
    return fig


def confusion(matrix):
    """A confusion matrix: rows are true digits, columns answers; mistakes coloured, right answers in grey."""
    fig, ax = new_figure(6, 5.2)
    mistakes = matrix.astype(float).copy()
    np.fill_diagonal(mistakes, np.nan)
    picture = ax.imshow(mistakes, cmap="Oranges", vmin=0)
    for (true, answer), number in np.ndenumerate(matrix):
        if number:
            dark = true != answer and number > 0.6 * np.nanmax(mistakes)
            ax.text(answer, true, number, ha="center", va="center", fontsize=8,
                    color=GREY if true == answer else "white" if dark else BLACK)  # fmt: skip
    ax.set(xlabel="answer", ylabel="true digit", xticks=range(len(matrix)), yticks=range(len(matrix)))
    fig.colorbar(picture, label="mistakes (images)")
    return fig


def reliability(calibration):
    """Confidence against accuracy, bin by bin, over the number of answers in each bin."""
    fig, (top, bottom) = new_figure(6, 4.6, rows=2, sharex=True, height_ratios=(3, 1))
    bins = len(calibration.count)
    top.plot([0, 1], [0, 1], "--", color=GREY, label="perfectly calibrated")
    top.plot(calibration.confidence, calibration.accuracy, "o-", color=BLUE, label="the network")
    top.set(ylabel="accuracy in the bin", ylim=(-0.03, 1.03))
    top.legend(loc="upper left")
    bottom.bar((np.arange(bins) + 0.5) / bins, calibration.count, 0.9 / bins, color=SKY)
    bottom.set(yscale="log", xlabel="confidence (probability of the answer)", ylabel="answers")
    return fig


def probabilities(image, values, label=None):
    """One digit and the probability of each answer."""
    fig, (left, right) = new_figure(7, 2.2, columns=2, width_ratios=(1, 3))
    show_image(left, image, None if label is None else f"true digit: {label}")
    bars = right.bar(range(len(values)), values, color=[ORANGE if v == max(values) else SKY for v in values])
    right.bar_label(bars, [f"{v:.3f}" for v in values], fontsize=8)
    right.set(xticks=range(len(values)), xlabel="answer", ylabel="probability", ylim=(0, 1.15))
    return fig


# 05_inside_the_lstm

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
        bar.outline.set_linewidth(0.5)


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
    _reading_line(axes, decided)
    fig.supxlabel(f"framed: after row {decided} the answer is {belief[-1].argmax()} and stays so", fontsize=size)
    return fig


def animation(figures, path, milliseconds, dpi=125):
    """Save figures as an endless GIF, each shown for its ``milliseconds``: written beside ``path``, then renamed."""
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
    path = Path(path)
    temporary = path.with_name(f"{path.name}.tmp")
    frames[0].save(temporary, "GIF", save_all=True, append_images=frames[1:], duration=milliseconds, loop=0)
    os.replace(temporary, path)


def accuracy_table(accuracy, decided):
    """Accuracy ``[classes, time_steps]`` after each row for each digit, and the median row of decision as a mark."""
    classes, time_steps = accuracy.shape
    fig, ax = new_figure(8, 3.2)
    picture = ax.imshow(100 * accuracy, cmap="cividis", vmin=0, vmax=100, aspect="auto",
                        extent=(0.5, time_steps + 0.5, classes - 0.5, -0.5))  # fmt: skip
    ax.plot(decided, range(classes), "D", color="white", markeredgecolor=BLACK, label="median row of decision")
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


def paths(points, labels, shown=(7, 14, 21, 28), each=25):
    """States ``[n, time_steps, 2]`` on the plane after rows ``shown``: ``each`` digits of a class and its mean path."""
    fig, axes = new_figure(8, 7, rows=2, columns=len(shown) // 2, sharex=True, sharey=True)
    colours = (BLACK, ORANGE, SKY, GREEN, GREY, BLUE, RED, PINK, "#6A3D9A", "#8C6D1F")
    for ax, t in zip(axes.flat, shown, strict=True):
        for digit, colour in enumerate(colours):
            here = np.flatnonzero(labels == digit)
            mean = points[here, :t].mean(axis=0)
            ax.plot(*points[here[:each], t - 1].T, linestyle="", marker=f"${digit}$", color=colour,
                    markersize=6, markeredgewidth=0.1, alpha=0.8)  # fmt: skip
            ax.plot(*mean.T, color=colour, linewidth=1.2)
            ax.text(*mean[-1], digit, color="white", fontsize=10, ha="center", va="center", weight="bold",
                    bbox={"boxstyle": "circle,pad=0.15", "facecolor": colour, "edgecolor": "white"})  # fmt: skip
        ax.set_title(f"after row {t}")
        ax.label_outer()
    fig.supxlabel("first principal axis of h (no unit)")
    fig.supylabel("second principal axis of h (no unit)")
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


def runs(groups, xlabel="test accuracy, %"):
    """Several runs a name, ``{name: values}``: a dot each and the mean as a bar."""
    fig, ax = new_figure(8, 0.42 * len(groups) + 0.9)
    for place, values in enumerate(groups.values()):
        ax.plot(values, [place] * len(values), "o", color=BLUE, markerfacecolor="none")
        ax.plot([np.mean(values)], [place], "|", color=RED, markersize=18, markeredgewidth=2)
        ax.annotate(f"{np.mean(values):.2f}", (np.mean(values), place), (0, 10), textcoords="offset points",
                    ha="center", fontsize=8)  # fmt: skip
    ax.set(yticks=range(len(groups)), yticklabels=groups, xlabel=xlabel, ylim=(len(groups) - 0.5, -0.7))
    ax.grid(axis="x", color="#DDDDDD")
    return fig


# 06_draw_a_digit


def preparation(steps):
    """The steps from a drawing to MNIST's form, ``{name: image}``, each with its size; the last with MNIST's centre."""
    fig, axes = new_figure(8, 2.5, columns=len(steps))
    for ax, (name, image) in zip(axes, steps.items(), strict=True):
        show_image(ax, image, name)
        ax.set_xlabel(f"{image.shape[0]} × {image.shape[1]} pixels")
    axes[-1].axhline(14, color=RED, linewidth=1)
    axes[-1].axvline(14, color=RED, linewidth=1, linestyle="--")
    return fig


def belief_by_row(image, probabilities):
    """A digit beside the belief after each of its rows, probabilities ``[rows, classes]``; row t is level in both."""
    fig, (left, right) = new_figure(8, 3.6, columns=2, sharey=True)
    rows, classes = probabilities.shape
    show_image(left, image, "what is read")
    left.set(xlabel="the pixels of a row", aspect="auto")
    picture = right.imshow(probabilities, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    right.plot(probabilities.argmax(axis=1), np.arange(rows), ".", color=RED)
    right.set(xticks=range(classes), xlabel="digit (dot: the answer so far)", title="what is believed after row t")
    left.set(yticks=range(6, rows, 7), yticklabels=range(7, rows + 1, 7), ylabel="row t")
    fig.colorbar(picture, label="probability")
    return fig


# 08_faster


def bench_times(result):
    """Milliseconds of a training step, side by side: a bar for the median, a dot for every round."""
    sides = sorted(result["sides"].values(), key=lambda side: -np.median(side["train_ms"]))
    fig, ax = new_figure(8, 0.45 * len(sides) + 1)
    for place, side in enumerate(sides):
        ours = side["label"].endswith("fast")
        median = np.median(side["train_ms"])
        ax.barh(place, median, color=ORANGE if ours else SKY, hatch="//" if ours else None)
        ax.plot(side["train_ms"], np.full(len(side["train_ms"]), place), ".", color=BLACK, markersize=3)
        ax.annotate(f"{median:.1f}", (max(side["train_ms"]), place), (6, 0), textcoords="offset points", va="center")
    ax.set(
        yticks=range(len(sides)), yticklabels=[side["label"] for side in sides], xlabel="training step, milliseconds"
    )
    ax.set_xlim(0, 1.12 * max(max(side["train_ms"]) for side in sides))
    return fig


def rungs(names, rounds):
    """The ladder: each rung's rounds in milliseconds, with the ratio of its median to the first rung's."""
    fig, ax = new_figure(8, 0.55 * len(names) + 1)
    for place, times in enumerate(rounds):
        median = np.median(times)
        ax.barh(place, median, color=SKY)
        ax.plot(times, np.full(len(times), place), ".", color=BLACK, markersize=4)
        ax.annotate(f"{median / np.median(rounds[0]):.2f} of the first", (max(times), place), (6, 0),
                    textcoords="offset points", va="center")  # fmt: skip
    ax.set(yticks=range(len(names)), yticklabels=names, xlabel="time, milliseconds")
    ax.set_xlim(0, 1.35 * max(max(times) for times in rounds))
    ax.invert_yaxis()
    return fig


# 09_better


def halving(runs, xlabel="steps", ylabel="loss on the validation split"):
    """Runs that stop early or go on, ``{name: (steps, losses)}``; the last name is the one that won."""
    fig, ax = new_figure(8, 3.4)
    *others, best = runs
    for name in others:
        ax.plot(
            *runs[name], "o-", color=GREY, markersize=3, linewidth=1, label="dropped" if name == others[0] else None
        )
    ax.plot(*runs[best], "s-", color=RED, linewidth=2, label=f"setting {best}, kept to the end")
    steps = sorted({step for run in runs.values() for step in run[0]})
    ax.set(
        xlabel=xlabel, ylabel=ylabel, yscale="log", xscale="log", xticks=steps, xticklabels=[f"{n:,}" for n in steps]
    )
    ax.minorticks_off()
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.legend()
    return fig


# 10_bigger


def shared_step(images, replicas=2):
    """One step shared out: each replica's slice of the images, its copy of the weights, what it sends to the sum."""
    slices = np.array_split(images, replicas)
    fig, ax = new_figure(8, 1.5 * replicas + 0.4)
    ax.set(xlim=(0, 8), ylim=(replicas, 0))
    ax.axis("off")
    side = min(0.42, 2.6 / len(slices[0]))
    box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": BLACK}
    arrow = {"arrowstyle": "-|>", "color": BLACK}
    middle = replicas / 2
    ax.text(7.1, middle, "sum over\nreplicas,\none update\nfor all", ha="center", va="center", bbox=box)
    for n, (slice_, colour) in enumerate(zip(slices, (BLUE, RED, GREEN, BLACK), strict=False)):
        y, right = n + 0.5, 0.1 + side * len(slice_)
        for k, image in enumerate(slice_):
            left = 0.1 + side * k
            ax.imshow(image, cmap="gray_r", extent=(left, left + side, y + side / 2, y - side / 2), aspect="auto")
        ax.add_patch(plt.Rectangle((0.1, y - side / 2), right - 0.1, side, fill=False, edgecolor=colour, linewidth=3))
        first = sum(map(len, slices[:n]))
        ax.text(0.1, y - side / 2 - 0.06, f"images {first} to {first + len(slice_) - 1}", va="bottom", color=colour)
        ax.annotate("", (3.75, y), (right + 0.02, y), arrowprops=arrow)
        ax.text(4.3, y, f"replica {n}:\nits copy of\nall weights", ha="center", va="center",
                bbox=box | {"edgecolor": colour, "linewidth": 2})  # fmt: skip
        end = middle + 0.3 * (y - middle)
        ax.annotate("", (6.6, end), (4.85, y), arrowprops=arrow | {"arrowstyle": "<|-|>"})
        ax.text(5.72, (y + end) / 2 + (0.13 if y > middle else -0.13), "gradient", ha="center", va="center", fontsize=9)
    return fig


def same_curves(curves, ylabel="loss, nats"):
    """Curves ``{name: values}`` that lie on each other: the first a line, the others markers, each at its own steps."""
    fig, ax = new_figure(8, 2.8)
    looks = zip(curves.items(), (SKY, RED, BLACK), ("-", "o", "x"), strict=False)
    for k, ((name, values), colour, mark) in enumerate(looks):
        every = 1 if mark == "-" else 12
        steps = np.arange(1, len(values) + 1)[6 * k :: every]
        ax.plot(steps, np.asarray(values)[6 * k :: every], mark, color=colour, label=name, markerfacecolor="none")
    ax.set(xlabel="step", ylabel=ylabel)
    ax.legend()
    return fig


def arrangements(labels, step_ms):
    """Images a second of each arrangement, ``{side: {batch: [ms of a step, a round each]}}``: a bar the median."""
    batches = sorted(set.intersection(*(set(times) for times in step_ms.values())), key=int)
    fig, axes = new_figure(8, 0.45 * len(step_ms) + 1, columns=len(batches), sharex=True, sharey=True)
    for ax, batch in zip(np.atleast_1d(axes), batches, strict=True):
        for place, times in enumerate(step_ms.values()):
            speed = 1000 * int(batch) / np.asarray(times[batch])
            ax.barh(place, np.median(speed), color=SKY)
            ax.plot(speed, np.full(len(speed), place), ".", color=BLACK, markersize=4)
        ax.set(yticks=range(len(step_ms)), yticklabels=[labels[side] for side in step_ms], title=f"batches of {batch}")
        ax.set_xlabel("images a second")
        ax.invert_yaxis() if ax is np.atleast_1d(axes)[0] else None
    return fig


def network(curves, marks):
    """Speed-up of two machines over one against network speed in bit/s, ``{name: (speeds, ratios)}``; named speeds."""
    fig, ax = new_figure(8, 3.2)
    looks = zip(curves.items(), (BLUE, ORANGE, GREEN), ("-", "--", ":"), strict=False)
    for (name, (speeds, ratios)), colour, style in looks:
        ax.plot(speeds, ratios, color=colour, linestyle=style, label=name, linewidth=2)
    ax.axhline(1, color=GREY, linewidth=1)
    ax.set(xscale="log", ylim=(0, 2), xlabel="network speed, bits a second", ylabel="times as fast as one machine")
    for name, speed in marks.items():
        ax.axvline(speed, color=GREY, linewidth=1, linestyle=":")
        ax.annotate(name, (speed, 1), (0, 3), ("data", "axes fraction"), "offset points", ha="center", fontsize=9)
    ax.legend(loc="center left", bbox_to_anchor=(0, 0.75))
    return fig


def stream_memory(streams):
    """Size of the digits' files beside the peak memory of training on them, one group of bars a stream."""
    fig, ax = new_figure(8, 0.7 * len(streams) + 1.1)
    for place, stream in enumerate(streams):
        for offset, key, colour, hatch in ((-0.2, "file_mb", ORANGE, "//"), (0.2, "peak_memory_mb", SKY, None)):
            label = {"file_mb": "the digits' files", "peak_memory_mb": "peak memory of the process"}[key]
            ax.barh(place + offset, stream[key], 0.38, color=colour, hatch=hatch, label=label if not place else None)
            ax.text(stream[key], place + offset, f" {stream[key]:.0f}", va="center")
    ax.set(yticks=range(len(streams)), yticklabels=[f"{stream['digits']:,.0f} digits" for stream in streams])
    ax.set(xlabel="megabytes", xlim=(0, 1.1 * max(stream["peak_memory_mb"] for stream in streams)))
    ax.invert_yaxis()
    fig.legend(loc="outside upper right", ncols=2)
    return fig


def growth(points, labels):
    """Time and memory of a step, ``{axis: {value: {"train_ms": …, "peak_memory_mb": …}}}``: a column an axis."""
    fig, axes = new_figure(8, 3.6, rows=2, columns=len(points), sharex="col", sharey="row")
    for (upper, lower), (axis, measured) in zip(axes.T, points.items(), strict=True):
        values = [int(value) for value in measured]
        for ax, key, colour in ((upper, "train_ms", BLUE), (lower, "peak_memory_mb", ORANGE)):
            ax.plot(values, [point[key] for point in measured.values()], "o-", color=colour)
            ax.set(xscale="log", xticks=values, xticklabels=values)
            ax.minorticks_off()
        lower.set_xlabel(labels[axis])
    axes[0, 0].set(ylabel="a step, ms", yscale="log", ylim=(1, 1000))
    most = max(point["peak_memory_mb"] for measured in points.values() for point in measured.values())
    axes[1, 0].set(ylabel="memory, MB", ylim=(0, 1.15 * most))
    return fig
