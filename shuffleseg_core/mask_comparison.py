"""Images, their truth and several models' masks side by side: figure 6 of the paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .colorize import colorize
from .figure_file import class_patches, paint_truth, save_png
from .label_map import LabelMap

_CELL_WIDTH = 4.0  # inches
_LEGEND_WIDTH = 1.7  # of one class
_STEEPEST = 3.0  # height by width of a cell; taller images leave room at its sides


@dataclass(frozen=True)
class ComparedFrame:
    """One row.

    Attributes:
        name: of the frame.
        image: uint8 [H, W, 3] RGB.
        truth: uint8 [H, W] class ids; what is unlabelled becomes white.
        masks: uint8 [H, W] class ids by each model.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    masks: Sequence[np.ndarray]

    def pictures(self, label_map: LabelMap) -> list[np.ndarray]:
        """uint8 [H, W, 3] RGB each: image, truth and masks."""
        masks = (colorize(mask, label_map) for mask in self.masks)
        return [self.image, paint_truth(self.truth, label_map), *masks]


def draw_comparison(
    frames: Sequence[ComparedFrame], model_names: Sequence[str], label_map: LabelMap, path: Path
) -> None:
    """Draw a row for each frame, and the classes' colours below, into a PNG.

    Args:
        frames: at least one; each with a mask by every model.
        model_names: heads of the masks' columns.
        label_map: names and colours.
        path: file to write.

    Raises:
        UserError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    heads = ("image", "truth", *model_names)
    width = _CELL_WIDTH * len(heads)
    aspects = [frame.image.shape[0] / frame.image.shape[1] for frame in frames]
    heights = [_CELL_WIDTH * min(aspect, _STEEPEST) for aspect in aspects]
    unlabelled = any((frame.truth == label_map.ignore_id).any() for frame in frames)
    patches = class_patches(label_map, [True] * len(label_map), unlabelled)
    lines = math.ceil(len(patches) * _LEGEND_WIDTH / width)
    figure = Figure(figsize=(width, sum(heights) + 0.4 + 0.3 * lines), layout="constrained")
    grid = figure.subplots(len(frames), len(heads), squeeze=False, height_ratios=heights)
    for row, (axes_of_row, frame) in enumerate(zip(grid, frames)):
        for axes, head, picture in zip(axes_of_row, heads, frame.pictures(label_map)):
            axes.imshow(picture)
            axes.set(xticks=[], yticks=[])
            if row == 0:
                axes.set_title(head, fontsize=13, parse_math=False)
        axes_of_row[0].set_ylabel(frame.name, fontsize=9, parse_math=False)
    columns = math.ceil(len(patches) / lines)
    figure.legend(
        handles=patches, loc="outside lower center", ncols=columns, fontsize=10, frameon=False
    )
    save_png(figure, path, dpi=130)
