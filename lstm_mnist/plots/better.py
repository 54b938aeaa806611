"""Pictures of notebook 09."""

import numpy as np
from matplotlib.ticker import LogLocator

from .style import BLUE, GREY, RED, new_figure


def halving(runs, kept):
    """Runs that stop early or go on, ``{name: (steps, losses)}``; the one named ``kept`` won."""
    fig, ax = new_figure(8, 3.4)
    for name, (steps, losses) in runs.items():
        if name != kept:
            ax.plot(steps, losses, "o-", color=GREY, markersize=3, linewidth=1)
    ax.lines[0].set_label("dropped")
    steps, losses = runs[kept]
    ax.plot(steps, losses, "s-", color=RED, linewidth=2, label=f"setting {kept}, kept to the end")
    ax.set(xlabel="steps", ylabel="loss on the validation split", xscale="log", yscale="log")
    ax.set_xticks(steps, [f"{step:,}" for step in steps])
    ax.minorticks_off()
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.legend()
    return fig


def against_steps(panels):
    """Runs of several lengths, ``{what: {steps: values}}``, a panel each: a dot a run, a line through the means."""
    fig, axes = new_figure(8, 3.2, columns=len(panels))
    for ax, (what, runs) in zip(np.atleast_1d(axes), panels.items(), strict=True):
        for steps, values in runs.items():
            ax.plot([steps] * len(values), values, "o", color=BLUE, markerfacecolor="none")
        ax.plot(list(runs), [np.mean(values) for values in runs.values()], color=RED)
        ax.set(xlabel="steps", ylabel=what, xscale="log")
        ax.set_xticks(list(runs), [f"{steps:,}" for steps in runs], rotation=45)
        ax.minorticks_off()
    return fig
