"""What all pictures share: the palette, a figure, an image."""

import matplotlib.pyplot as plt
import numpy as np

# Okabe and Ito's palette, which colour-blind readers can tell apart.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, RED, PINK = "#0072B2", "#D55E00", "#CC79A7"
GREY = "#767676"


def new_figure(width=8.0, height=3.0, rows=1, columns=1, **kwargs):
    """A figure of ``width`` x ``height`` inches and its axes, not left open in pyplot, so it is shown once."""
    fig, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained", **kwargs)
    plt.close(fig)
    return fig, axes


def show_image(ax, image, title=None):
    """One digit, black on white, without ticks."""
    ax.imshow(image, cmap="gray_r", vmin=0, vmax=255 if image.dtype == np.uint8 else 1)
    ax.set(xticks=[], yticks=[], title=title)
