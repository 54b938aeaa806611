"""Pictures of notebook 02."""

import matplotlib.pyplot as plt
import numpy as np

from .style import BLACK, BLUE, GREEN, GREY, ORANGE, RED, new_figure

CELL_PARTS = ("inputs", "forget", "input", "candidate", "memory", "output")


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
