"""Pictures of notebook 09."""

from matplotlib.ticker import LogLocator

from .style import GREY, RED, new_figure


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
