"""Pictures of notebook 08."""

import numpy as np

from .style import BLACK, ORANGE, SKY, new_figure


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
