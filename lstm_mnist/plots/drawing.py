"""Pictures of notebook 06."""

import numpy as np

from .style import RED, new_figure, show_image


def preparation(steps):
    """The steps from a drawing to MNIST's form, ``{name: image}``, each with its size; the last with MNIST's centre."""
    fig, axes = new_figure(8, 2.5, columns=len(steps))
    for ax, (name, image) in zip(axes, steps.items(), strict=True):
        show_image(ax, image, name)
        ax.set_xlabel(f"{image.shape[0]} × {image.shape[1]} pixels")
    axes[-1].axhline(14, color=RED, linewidth=1)
    axes[-1].axvline(14, color=RED, linewidth=1, linestyle="--")
    return fig


def belief_by_row(image, probabilities):
    """A digit beside the belief after each of its rows, probabilities ``[rows, classes]``; row t is level in both."""
    fig, (left, right) = new_figure(8, 3.6, columns=2, sharey=True)
    rows, classes = probabilities.shape
    show_image(left, image, "what is read")
    left.set(xlabel="the pixels of a row", aspect="auto")
    picture = right.imshow(probabilities, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    right.plot(probabilities.argmax(axis=1), np.arange(rows), ".", color=RED)
    right.set(xticks=range(classes), xlabel="digit (dot: the answer so far)", title="what is believed after row t")
    left.set(yticks=range(6, rows, 7), yticklabels=range(7, rows + 1, 7), ylabel="row t")
    fig.colorbar(picture, label="probability")
    return fig
