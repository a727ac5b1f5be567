"""A data set as pictures: samples with their masks, and how often its classes occur."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..colorize import overlay
from ..figure_file import class_patches, paint_truth, save_png
from ..label_map import LabelMap
from .check import SplitReport

_WIDTH = 480  # of a sample in the picture, pixels
_HATCHES = ("", "////", "....", "xxxx")


def draw_samples(reports: list[SplitReport], count: int, path: Path) -> None:
    """Draw image, mask and overlay of samples spread evenly over the images without a problem.

    Args:
        reports: of one or more splits with the same classes.
        count: how many samples.
        path: PNG to write.

    Raises:
        UserError: the file cannot be written.
    """
    from matplotlib.figure import Figure  # without pyplot: no display, no global state

    good = [(report.dataset, index) for report in reports for index in report.good]
    count = min(count, len(good))
    if not count:
        return
    picked = [good[int((i + 0.5) * len(good) / count)] for i in range(count)]
    samples = [_small(*dataset.read(index)) for dataset, index in picked]
    label_map = reports[0].dataset.label_map
    columns = 2 if count > 1 else 1
    rows = -(-count // columns)
    steepest = max(labels.shape[0] / labels.shape[1] for _, labels in samples)
    figure = Figure(
        figsize=(7.5 * columns, (2.4 * min(steepest, 1.5) + 0.4) * rows + 0.7), layout="constrained"
    )
    axes = figure.subplots(rows, 3 * columns, squeeze=False)
    for panel in axes.flat:  # with a thin frame: unlabelled pixels are as white as the paper
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set(linewidth=0.5, color="0.5")
    for panel in axes.flat[3 * count :]:
        panel.axis("off")
    for place, ((dataset, index), (image, labels)) in enumerate(zip(picked, samples)):
        row, column = divmod(place, columns)
        mask, laid_over = paint_truth(labels, label_map), overlay(image, labels, label_map)
        if label_map.ignore_id is not None:
            ignored = labels == label_map.ignore_id
            laid_over[ignored] = image[ignored]
        for panel, view in zip(axes[row, 3 * column :], (image, mask, laid_over)):
            panel.imshow(view)
        title = f"{dataset.name}: {dataset.sample_name(index)}"
        axes[row, 3 * column].set_title(title, loc="left", fontsize=8, parse_math=False)
    present = sum(report.class_pixels for report in reports) > 0
    unlabelled = any(report.ignored_share for report in reports)
    handles = class_patches(label_map, present, unlabelled)
    lines = -(-len(handles) // (6 * columns))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=-(-len(handles) // max(lines, 1)),
        fontsize=8, frameon=False,
    )  # fmt: skip
    save_png(figure, path)


def draw_classes(reports: list[SplitReport], path: Path) -> None:
    """Draw each class's share of the labelled pixels and of the images, a bar for each split.

    Raises:
        UserError: the file cannot be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    label_map: LabelMap = reports[0].dataset.label_map
    places = np.arange(len(label_map))
    figure = Figure(figsize=(11, 1.5 + 0.3 * len(label_map)), layout="constrained")
    pixel_axes, image_axes = figure.subplots(1, 2, sharey=True)
    height = 0.8 / len(reports)
    for order, report in enumerate(reports):
        style = {
            "height": height,
            "color": np.divide(label_map.colors, 255),
            "edgecolor": "0.75",
            "hatch": _HATCHES[order % len(_HATCHES)],
        }
        y = places + (order - (len(reports) - 1) / 2) * height
        pixels = report.class_pixels
        pixel_axes.barh(y, 100 * pixels / max(pixels.sum(), 1), **style)
        image_axes.barh(y, 100 * report.class_images / max(len(report.dataset), 1), **style)
    pixel_axes.set_xlabel("labelled pixels / %")
    pixel_axes.set_xscale("symlog", linthresh=0.1)
    pixel_axes.set_xticks([0, 0.1, 1, 10, 100], ["0", "0.1", "1", "10", "100"])
    pixel_axes.set_yticks(places, label_map.names)
    pixel_axes.invert_yaxis()
    image_axes.set(xlabel="images with the class / %", xlim=(0, 100))
    for panel in (pixel_axes, image_axes):
        panel.grid(axis="x", lw=0.5)
        panel.set_axisbelow(True)
    figure.legend(
        handles=[
            Patch(facecolor="white", edgecolor="gray", hatch=_HATCHES[order % len(_HATCHES)],
                  label=f"{report.dataset.name}: {len(report.dataset)} images")
            for order, report in enumerate(reports)
        ],
        loc="outside upper center", ncols=3, frameon=False,
    )  # fmt: skip
    save_png(figure, path)


def _small(image: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width = labels.shape
    if width <= _WIDTH:
        return image, labels
    size = (_WIDTH, max(1, round(height * _WIDTH / width)))
    return (
        cv2.resize(image, size, interpolation=cv2.INTER_AREA),
        cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST),
    )
