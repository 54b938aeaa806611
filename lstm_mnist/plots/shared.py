"""Charts that several notebooks draw."""

import numpy as np

from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PINK, RED, SKY, new_figure, show_image


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


def reliability(calibration, low, high):
    """Confidence against accuracy, bin by bin, with the ends ``low``, ``high`` ``[bins]`` of each accuracy's interval,
    over the number of answers in each bin."""
    fig, (top, bottom) = new_figure(6, 4.6, rows=2, sharex=True, height_ratios=(3, 1))
    bins = len(calibration.count)
    accuracy = calibration.accuracy
    top.plot([0, 1], [0, 1], "--", color=GREY, label="perfectly calibrated")
    top.errorbar(calibration.confidence, accuracy, yerr=[accuracy - low, high - accuracy], fmt="o", color=BLUE,
                 capsize=4, label="the network, with 95 % interval")  # fmt: skip
    top.set(ylabel="accuracy in the bin", ylim=(-0.03, 1.03))
    top.legend(loc="upper left")
    bottom.bar((np.arange(bins) + 0.5) / bins, calibration.count, 0.9 / bins, color=SKY)
    bottom.set(yscale="log", xlabel="confidence (probability of the answer)", ylabel="answers")
    return fig


def probabilities(image, values, label=None):
    """One digit and the probability of each answer."""
    fig, (left, right) = new_figure(7, 2.2, columns=2, width_ratios=(1, 3.2))
    fig.get_layout_engine().set(wspace=0.06)  # else the right one's label touches the digit's frame
    show_image(left, image, None if label is None else f"true digit: {label}")
    bars = right.bar(range(len(values)), values, color=[ORANGE if v == max(values) else SKY for v in values])
    right.bar_label(bars, [f"{v:.3f}" for v in values], fontsize=8)
    right.set(xticks=range(len(values)), xlabel="answer", ylabel="probability", ylim=(0, 1.15))
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


def medians(rounds, xlabel, notes=None, highlighted=None):
    """Several rounds a name, ``{name: [number a round]}``, from top to bottom: a bar to the median, a dot a round.

    ``notes`` stand to the right, one a name; the bar of the name ``highlighted`` looks another way.
    """
    notes = notes or [""] * len(rounds)
    fig, ax = new_figure(8, 0.5 * len(rounds) + 1)
    for place, ((name, values), note) in enumerate(zip(rounds.items(), notes, strict=True)):
        look = {"color": ORANGE, "hatch": "//"} if name == highlighted else {"color": SKY}
        ax.barh(place, np.median(values), **look)
        ax.plot(values, np.full(len(values), place), ".", color=BLACK, markersize=4)
        ax.annotate(note, (max(values), place), (6, 0), textcoords="offset points", va="center")
    room = 1.05 + 0.02 * max(map(len, notes))
    ax.set(yticks=range(len(rounds)), yticklabels=rounds, ylim=(len(rounds) - 0.4, -0.6), xlabel=xlabel)
    ax.set_xlim(0, room * max(max(values) for values in rounds.values()))
    return fig
