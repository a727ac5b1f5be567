"""One frame under each change, with the mask below it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..colorize import colorize
from ..figure_file import class_patches, save_png
from ..label_map import LabelMap

_COLUMNS = 6
_CELL_WIDTH = 2.6  # inches


def draw_corruptions(
    cells: Sequence[tuple[str, np.ndarray, np.ndarray]],
    label_map: LabelMap,
    title: str,
    path: Path,
) -> None:
    """Draw images, their masks below them, in rows of six, into a PNG.

    Args:
        cells: of each change: its name, uint8 [H, W, 3] RGB image, uint8 [H, W] class ids.
        label_map: names and colours.
        title: above the picture.
        path: file to write.

    Raises:
        UserError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(cells))
    rows = math.ceil(len(cells) / columns)
    height, width = cells[0][1].shape[:2]
    cell_height = _CELL_WIDTH * height / width
    figure = Figure(
        figsize=(_CELL_WIDTH * columns, rows * (2 * cell_height + 0.3) + 1.2), layout="constrained"
    )
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    grid = figure.subplots(2 * rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for number, (name, image, mask) in enumerate(cells):
        row, column = divmod(number, columns)
        above, below = grid[2 * row : 2 * row + 2, column]
        above.imshow(image)
        above.set_title(name, fontsize=10, parse_math=False)
        below.imshow(colorize(mask, label_map))
    figure.suptitle(title, parse_math=False)
    figure.legend(
        handles=class_patches(label_map, [True] * len(label_map), False),
        loc="outside lower center", ncols=min(len(label_map), 2 * columns), frameon=False,
    )  # fmt: skip
    save_png(figure, path, dpi=100)
