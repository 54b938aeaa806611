"""Pictures of notebook 03."""

import numpy as np

from .style import BLUE, GREEN, GREY, RED, new_figure


def training_curves(history, window=50):
    """Loss, accuracy and gradient norm of each step: dots, and their mean over ``window`` steps as a line."""
    fig, axes = new_figure(8, 6, rows=3, sharex=True)
    names = ("loss, nats", "accuracy of the batch", "gradient norm")
    for ax, values, name, colour in zip(axes, history[:3], names, (BLUE, GREEN, RED), strict=True):
        steps = np.arange(1, len(values) + 1)
        ax.plot(steps, values, ".", markersize=1.5, color=GREY, alpha=0.5, label="each step")
        running_mean = np.convolve(values, np.ones(window) / window, mode="valid")
        ax.plot(steps[window - 1 :], running_mean, color=colour, label=f"mean of {window} steps")
        ax.set(ylabel=name)
        ax.legend(loc="best", markerscale=6)
    axes[0].set_yscale("log")
    axes[2].set_xlabel("step (update of the weights)")
    return fig
