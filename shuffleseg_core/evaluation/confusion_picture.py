"""A confusion matrix as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..figure_file import save_png


def draw_confusion(counts: np.ndarray, names: tuple[str, ...], title: str, path: Path) -> None:
    """Draw each true class's pixels by prediction, in per cent of the row, into a PNG.

    Args:
        counts: integer [C, C or C + 1], truth × prediction; see `Scores.counts`.
        names: of the C classes.
        title: above the picture.
        path: file to write.

    Raises:
        UserError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    columns = list(names)
    if counts.shape[1] > len(names):  # predictions that are no class
        if counts[:, -1].any():
            columns.append("(none)")
        counts = counts[:, : len(columns)]
    pixels = counts.sum(1, keepdims=True)
    share = np.divide(100.0 * counts, pixels, out=np.full(counts.shape, np.nan), where=pixels > 0)
    side = 0.42 * len(names)
    figure = Figure(figsize=(side + 2.6, side + 2.2), layout="constrained")
    axes = figure.subplots()
    axes.set_facecolor("0.85")  # shows where a class has no pixels
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
    axes.set_xticks(range(len(columns)), columns, rotation=55, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted class", ylabel="true class", title=title)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(len(columns)) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(names)) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="minor", length=0)
    for (row, column), value in np.ndenumerate(share):
        if value >= 0.5:  # smaller ones would only read 0
            axes.text(
                column, row, f"{value:.0f}", ha="center", va="center", fontsize=8,
                color="white" if value > 55 else "black",
            )  # fmt: skip
    for row in np.flatnonzero(pixels[:, 0] == 0):
        axes.text((len(columns) - 1) / 2, row, "no pixels", ha="center", va="center", fontsize=8)
    figure.colorbar(image, ax=axes, shrink=0.6, label="% of the true class's pixels")
    save_png(figure, path, dpi=120)
