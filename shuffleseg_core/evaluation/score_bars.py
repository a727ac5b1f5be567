"""Several models' scores of each class as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..figure_file import save_png


def draw_score_bars(
    scores: Sequence[Mapping[str, float]], names: Sequence[str], title: str, path: Path
) -> None:
    """Draw a group of bars for each class and one for the mean, into a PNG.

    Args:
        scores: of each model, class name → IoU, 0 to 1 or NaN; the same classes in each.
        names: of the models.
        title: above the picture.
        path: file to write.

    Raises:
        UserError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    classes = list(scores[0])
    heads = ["mean", *classes]
    height = 0.8 / len(scores)
    figure = Figure(
        figsize=(7.5, 0.9 + (0.18 * len(scores) + 0.15) * len(heads)), layout="constrained"
    )
    axes = figure.subplots()
    places = np.arange(len(heads), dtype=float)
    handles = []
    places[1:] += 0.3  # sets the mean apart
    for number, of_model in enumerate(scores):
        values = 100 * np.array([of_model[key] for key in classes], float)
        values = np.array([np.nanmean(values) if np.isfinite(values).any() else np.nan, *values])
        rows = places + (number - (len(scores) - 1) / 2) * height
        bars = axes.barh(rows, np.nan_to_num(values), height)
        handles.append(bars)
        words = ["–" if np.isnan(value) else f"{value:.1f}" for value in values]
        axes.bar_label(bars, words, padding=2, fontsize=8)
    axes.set_yticks(places, heads, parse_math=False)
    axes.set(xlim=(0, 105), xlabel="IoU, %")
    axes.set_title(title, parse_math=False)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    if len(scores) > 1:
        legend = axes.legend(handles, names, loc="lower right", frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)
    save_png(figure, path)
