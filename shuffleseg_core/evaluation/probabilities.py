"""From logits at output stride to probabilities at the image's size."""

from __future__ import annotations

import cv2
import numpy as np

from ..upsampling import align_corners_matrix


def class_probabilities(
    logits: np.ndarray, size: tuple[int, int], align_corners: bool
) -> np.ndarray:
    """Bilinear resize, then softmax over the classes.

    Args:
        logits: float32 [h, w, C].
        size: (width, height) wanted.
        align_corners: see `LabelUpsampler`.

    Returns:
        float32 [C, height, width], 0–1.
    """
    width, height = size
    planes = np.ascontiguousarray(logits.transpose(2, 0, 1))
    if align_corners:
        rows = align_corners_matrix(height, logits.shape[0])
        columns = align_corners_matrix(width, logits.shape[1])
        planes = (rows @ planes) @ columns.T
    else:
        planes = np.stack([cv2.resize(plane, size) for plane in planes])
    planes -= planes.max(0)
    np.exp(planes, out=planes)
    planes /= planes.sum(0)
    return planes
