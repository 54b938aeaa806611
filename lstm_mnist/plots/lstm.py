"""Pictures of notebook 02."""

import matplotlib.pyplot as plt

from .style import BLACK, BLUE, GREEN, GREY, ORANGE, RED, new_figure

#: each part of the cell in the order of the notebook, and its colour
CELL_PARTS = {"inputs": BLACK, "forget": BLUE, "input": GREEN, "candidate": ORANGE, "memory": BLACK, "output": RED}


def lstm_cell(upto="output"):
    """One LSTM step drawn up to a part of ``CELL_PARTS``; the newest part is the bold one."""
    newest = list(CELL_PARTS).index(upto)
    fig, ax = new_figure(8, 3.9)
    ax.set(xlim=(-0.2, 10.4), ylim=(-0.3, 5.7))
    ax.axis("off")

    def look(part):
        return {"color": CELL_PARTS[part], "linewidth": 2.6 if part == upto else 1.3}

    def line(part, *points, head="-|>"):
        *bends, end = points
        ax.plot(*zip(*bends, strict=True), solid_capstyle="round", **look(part))
        ax.annotate("", end, bends[-1], arrowprops={"arrowstyle": head, "shrinkA": 0, "shrinkB": 0} | look(part))

    def node(part, x, y, text, pad=0.42):
        box = {"boxstyle": f"round,pad={pad}", "facecolor": "white", "edgecolor": CELL_PARTS[part]}
        box["linewidth"] = look(part)["linewidth"]
        ax.text(x, y, text, ha="center", va="center", color=CELL_PARTS[part], fontsize=11, bbox=box)

    line("inputs", (0.3, 1), (7.0, 1), head="-")
    line("inputs", (1.1, 0.25), (1.1, 1))
    line("inputs", (0.3, 5), (5.2, 5), head="-")
    ax.text(0.2, 1, "$h_{t-1}$", ha="right", va="center", fontsize=13)
    ax.text(1.1, 0.1, "$x_t$ (row t, 28 pixels)", ha="center", va="top", fontsize=11)
    ax.text(0.2, 5, "$c_{t-1}$", ha="right", va="center", fontsize=13)
    if newest >= 1:
        line("forget", (2.2, 1), (2.2, 4.75))
        node("forget", 2.2, 2.2, "σ  $f_t$")
        node("forget", 2.2, 5, "×", pad=0.25)
    if newest >= 2:
        line("input", (3.8, 1), (3.8, 3.6), (4.95, 3.6))
        node("input", 3.8, 2.2, "σ  $i_t$")
    if newest >= 3:
        line("candidate", (5.2, 1), (5.2, 3.4))
        node("candidate", 5.2, 2.2, "tanh  $\\tilde{c}_t$")
        node("candidate", 5.2, 3.6, "×", pad=0.25)
    if newest >= 4:
        line("memory", (5.2, 3.85), (5.2, 4.75))
        line("memory", (5.2, 5), (9.9, 5))
        node("memory", 5.2, 5, "+", pad=0.25)
        ax.text(10.0, 5, "$c_t$", va="center", fontsize=13)
    if newest >= 5:
        line("output", (7.0, 1), (7.0, 2.9), (8.1, 2.9))
        node("output", 7.0, 2.2, "σ  $o_t$")
        line("output", (8.35, 5), (8.35, 3.15))
        node("output", 8.35, 4.1, "tanh", pad=0.3)
        line("output", (8.35, 2.65), (8.35, 1), (9.9, 1))
        node("output", 8.35, 2.9, "×", pad=0.25)
        ax.text(10.0, 1, "$h_t$", va="center", fontsize=13)
    return fig


def unrolled(image):
    """The same cell at five rows of a digit, h and c handed on from one to the next."""
    fig, ax = new_figure(8, 3)
    ax.set(xlim=(-0.9, 11.1), ylim=(-1.3, 2.7))
    ax.axis("off")
    for x, t, gap in ((0, 1, ""), (2, 2, ""), (4, 3, " …"), (6, 14, " …"), (8, 28, "")):
        ax.text(x, 1, "LSTM", ha="center", va="center", bbox={"boxstyle": "round,pad=0.5", "facecolor": "white"})
        ax.imshow(image[t - 1 : t], cmap="gray_r", extent=(x - 0.8, x + 0.8, -0.55, -0.3), aspect="auto", zorder=2)
        ax.add_patch(plt.Rectangle((x - 0.8, -0.55), 1.6, 0.25, fill=False, color=GREY, zorder=3))
        ax.text(x, -0.75, f"$x_{{{t}}}$: row {t}", ha="center", va="top")
        ax.annotate("", (x, 0.65), (x, -0.25), arrowprops={"arrowstyle": "-|>"})
        for y, name, colour in ((1.22, "c", BLUE), (0.8, "h", RED)):
            ax.annotate("", (x + 1.5, y), (x + 0.55, y), arrowprops={"arrowstyle": "-|>", "color": colour})
            ax.text(x + 0.95, y + 0.1, f"${name}_{{{t}}}${gap}", ha="center", fontsize=9)
    ax.text(9.55, 1.22, "kept inside", va="center", fontsize=9, color=BLUE)
    ax.text(9.55, 0.8, "output layer:\n10 logits", va="top", fontsize=9, color=RED)
    ax.text(4, 2.3, "one cell, the same weights at every row", ha="center", style="italic")
    return fig
