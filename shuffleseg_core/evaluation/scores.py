"""The scores that fit a data set."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..datasets import Dataset
from .cityscapes_scores import CityscapesScores
from .class_scores import ClassScores
from .file_ids import has_benchmark_ids


class Scores(Protocol):
    """Scores over the frames that were added.

    Attributes:
        names: the classes.
        counts: int64 [C, C or C + 1] pixels, truth × prediction; a last column more has the
            predictions that are none of the classes.
    """

    names: tuple[str, ...]
    counts: np.ndarray

    def add(self, dataset: Dataset, index: int, prediction: np.ndarray) -> None:
        """Add a frame.

        Args:
            dataset: has the truth.
            index: of the frame.
            prediction: uint8 [H, W], ids as prediction files of the data set hold them.

        Raises:
            UserError: the truth is unreadable or has another size.
            ValueError: a predicted id is out of range.
        """

    def report(self) -> dict:
        """JSON-ready scores, 0–1, NaN where there is nothing to score.

        "miou" and "iou" (by class) and "pixel_accuracy"; for Cityscapes also "iiou",
        "category_iou", "category_iiou" and their means with an m before the name.
        """


def scores_of(dataset: Dataset) -> Scores:
    """Those of the benchmark for Cityscapes, class IoU for others."""
    return CityscapesScores() if has_benchmark_ids(dataset) else ClassScores(dataset.label_map)
