"""Pictures of notebook 04."""

import numpy as np

from .style import BLACK, GREY, new_figure


def confusion(matrix):
    """A confusion matrix: rows are true digits, columns answers; mistakes coloured, right answers in grey."""
    fig, ax = new_figure(6, 5.2)
    mistakes = matrix.astype(float).copy()
    np.fill_diagonal(mistakes, np.nan)
    picture = ax.imshow(mistakes, cmap="Oranges", vmin=0)
    for (true, answer), number in np.ndenumerate(matrix):
        if number:
            dark = true != answer and number > 0.6 * np.nanmax(mistakes)
            ax.text(answer, true, number, ha="center", va="center", fontsize=8,
                    color=GREY if true == answer else "white" if dark else BLACK)  # fmt: skip
    ax.set(xlabel="answer", ylabel="true digit", xticks=range(len(matrix)), yticks=range(len(matrix)))
    fig.colorbar(picture, label="mistakes (images)")
    return fig
