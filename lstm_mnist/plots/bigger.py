"""Pictures of notebooks 08 and 10."""

import matplotlib.pyplot as plt
import numpy as np

from .shared import draw_medians
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, RED, SKY, new_figure


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
    fig, axes = new_figure(8, 0.45 * len(step_ms) + 1, columns=len(batches), sharey=True, squeeze=False)
    for ax, batch in zip(axes[0], batches, strict=True):
        draw_medians(
            ax, {labels[side]: 1000 * int(batch) / np.asarray(times[batch]) for side, times in step_ms.items()}
        )
        ax.set(title=f"batches of {batch}", xlabel="images a second")
    widest = max(ax.get_xlim()[1] for ax in axes[0])
    for ax in axes[0]:
        ax.set_xlim(0, widest)
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
