"""Pictures of notebook 09."""

from matplotlib.ticker import LogLocator

from .style import GREY, RED, new_figure


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
