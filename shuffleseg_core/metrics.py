"""Scores of label images against ground truth."""

from __future__ import annotations

import numpy as np


class ConfusionMatrix:
    """Counts of (true class, predicted class) over pixels.

    Attributes:
        counts: int64 [C, C]; row = truth, column = prediction.
    """

    def __init__(self, num_classes: int, ignore_id: int | None = None):
        self.num_classes = num_classes
        self.ignore_id = ignore_id
        self.counts = np.zeros((num_classes, num_classes), np.int64)

    def update(self, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Add one frame.

        Args:
            truth: integer [H, W] ids; pixels that carry `ignore_id`, or an id outside
                the classes, do not count (Cityscapes' rule for void).
            prediction: integer [H, W] ids, each below `num_classes`.

        Raises:
            ValueError: the shapes differ, or a predicted id is no class.
        """
        if truth.shape != prediction.shape:
            raise ValueError(f"truth is {truth.shape} but prediction is {prediction.shape}")
        counted = truth < self.num_classes
        if self.ignore_id is not None:
            counted &= truth != self.ignore_id
        predicted = prediction[counted].astype(np.int64)
        if predicted.size and predicted.max() >= self.num_classes:
            raise ValueError(f"predicted id {predicted.max()} of {self.num_classes} classes")
        pairs = truth[counted].astype(np.int64) * self.num_classes + predicted
        self.counts += np.bincount(pairs, minlength=self.num_classes**2).reshape(
            self.num_classes, self.num_classes
        )

    def iou(self) -> np.ndarray:
        """float64 [C]: intersection over union of each class, 0–1.

        NaN where a class is in neither truth nor prediction.
        """
        hits = np.diag(self.counts).astype(np.float64)
        union = self.counts.sum(0) + self.counts.sum(1) - hits
        return np.divide(hits, union, out=np.full_like(hits, np.nan), where=union > 0)

    def miou(self) -> float:
        """Mean of `iou` over the classes that occur, 0–1; NaN where none does."""
        iou = self.iou()
        return float(np.nanmean(iou)) if np.isfinite(iou).any() else float("nan")

    def pixel_accuracy(self) -> float:
        """Share of counted pixels with the right class, 0–1; NaN where none counts."""
        total = self.counts.sum()
        return float(np.trace(self.counts) / total) if total else float("nan")
