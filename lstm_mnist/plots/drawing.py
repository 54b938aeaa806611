"""Pictures of notebook 06."""

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
