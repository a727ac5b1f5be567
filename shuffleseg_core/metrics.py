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
            truth: integer [H, W] ids of 0 to 255; pixels that carry `ignore_id`, or an id outside
                the classes, do not count (Cityscapes' rule for void).
            prediction: integer [H, W] ids, each below `num_classes` where truth counts.

        Raises:
            ValueError: the shapes differ, or an id is out of its range.
        """
        if truth.shape != prediction.shape:
            raise ValueError(f"truth is {truth.shape} but prediction is {prediction.shape}")
        # Counting all pairs of two bytes costs less than picking the pixels that count.
        pairs = _as_bytes(truth).astype(np.uint16)
        pairs <<= 8
        pairs |= _as_bytes(prediction)
        counts = np.bincount(pairs.ravel(), minlength=1 << 16).reshape(256, 256)
        counts = counts[: self.num_classes]
        if self.ignore_id is not None and self.ignore_id < self.num_classes:
            counts[self.ignore_id] = 0
        if counts[:, self.num_classes :].any():
            wrong = self.num_classes + np.flatnonzero(counts[:, self.num_classes :].any(0))[-1]
            raise ValueError(f"predicted id {wrong} of {self.num_classes} classes")
        self.counts += counts[:, : self.num_classes]

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


def _as_bytes(ids: np.ndarray) -> np.ndarray:
    if ids.dtype == np.uint8:
        return ids
    if ids.size and (ids.min() < 0 or ids.max() > 255):
        raise ValueError(f"ids are 0 to 255; these are {ids.min()} to {ids.max()}")
    return ids.astype(np.uint8)
