"""Pictures of notebook 01."""

import matplotlib.pyplot as plt
import numpy as np

from .style import GREEN, ORANGE, RED, SKY, new_figure, show_image


def row_as_features(image, t):
    """An image uint8 with row ``t`` (counted from 1) marked, beside that row's pixels as a bar chart."""
    fig, (left, right) = new_figure(8, 2.8, columns=2, width_ratios=(1, 2))
    show_image(left, image, f"one sequence of {len(image)} rows")
    left.add_patch(plt.Rectangle((-0.5, t - 1.5), image.shape[1], 1, fill=False, color=RED, linewidth=2))
    left.set_ylabel(f"row t = {t} is marked")
    right.bar(np.arange(1, image.shape[1] + 1), image[t - 1], color=RED)
    right.set(xlabel="column (feature number)", ylabel="pixel value, 0..255")
    right.set_title(f"what the LSTM is given at step t = {t}: {image.shape[1]} numbers")
    return fig


def class_shares(labels, names):
    """How often each class occurs in several label arrays, as grouped bars of per cent."""
    fig, ax = new_figure(8, 2.8)
    width = 0.8 / len(labels)
    for k, (values, name, hatch) in enumerate(zip(labels, names, ("", "//", ".."), strict=False)):
        share = 100 * np.bincount(values, minlength=10) / len(values)
        ax.bar(np.arange(10) + (k - (len(labels) - 1) / 2) * width, share, width, hatch=hatch, label=name,
               color=(SKY, ORANGE, GREEN)[k % 3], edgecolor="white")  # fmt: skip
    ax.set(xticks=range(10), xlabel="digit", ylabel="share of the split, %", ylim=(0, 15))
    ax.legend(ncols=3, loc="upper center")
    return fig
