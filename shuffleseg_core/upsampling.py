"""From logits at output stride to class ids at any size."""

from __future__ import annotations

import cv2
import numpy as np


class LabelUpsampler:
    """Bilinear resize of all logits, then argmax (ties: the lowest id), class by class.

    Never holds the full-size logits of more than one class, and reuses its buffers from
    frame to frame as long as the size stays.

    Args:
        align_corners: corner samples of both grids lie upon each other; otherwise pixel
            areas do (half-pixel centres).
    """

    def __init__(self, align_corners: bool = False):
        self.align_corners = align_corners
        self._sizes = None  # (of the logits, wanted) that the buffers fit

    def __call__(self, logits: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Resize and choose.

        Args:
            logits: [h, w, C] of a real dtype.
            size: (width, height) wanted.

        Returns:
            uint8 [height, width], a new array.
        """
        width, height = size
        sizes = (logits.shape[:2], size)
        if self._sizes != sizes:
            self._sizes = sizes
            self._best = np.empty((height, width), np.float32)
            self._rival = np.empty((height, width), np.float32)
            self._wins = np.empty((height, width), bool)
            if self.align_corners:
                self._rows = align_corners_matrix(height, logits.shape[0])
                self._columns = align_corners_matrix(width, logits.shape[1])
        planes = np.ascontiguousarray(logits.transpose(2, 0, 1), dtype=np.float32)
        self._resize(planes[0], self._best)
        labels = np.zeros((height, width), np.uint8)
        for class_id in range(1, len(planes)):
            self._resize(planes[class_id], self._rival)
            np.greater(self._rival, self._best, out=self._wins)
            np.copyto(labels, class_id, where=self._wins)
            np.maximum(self._rival, self._best, out=self._best)
        return labels

    def _resize(self, plane: np.ndarray, out: np.ndarray) -> None:
        if not self.align_corners:
            cv2.resize(plane, out.shape[::-1], dst=out, interpolation=cv2.INTER_LINEAR)
            return
        # OpenCV has no such convention; the resize is separable, so two products do it.
        np.matmul(self._rows @ plane, self._columns.T, out=out)


def align_corners_matrix(size: int, source_size: int) -> np.ndarray:
    """float32 [size, source_size]: weights of the source samples in each new sample."""
    position = np.arange(size) * ((source_size - 1) / max(size - 1, 1))
    distance = np.abs(position[:, None] - np.arange(source_size)[None])
    return np.maximum(1.0 - distance, 0.0).astype(np.float32)
