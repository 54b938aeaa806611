"""Pictures of notebook 10."""

from .style import BLUE, ORANGE, new_figure


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
