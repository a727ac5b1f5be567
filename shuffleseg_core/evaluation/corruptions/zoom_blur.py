"""The blur of a camera that moves forward while the shutter is open."""

from __future__ import annotations

import cv2
import numpy as np

from .values import to_bytes

_STEPS = 11


def zoom_blur(image: np.ndarray, largest: float) -> np.ndarray:
    """The mean of the picture (twice) and of its enlargements about the centre up to `largest`."""
    height, width = image.shape[:2]
    total = image.astype(np.float32)
    for zoom in np.linspace(1, largest, _STEPS):
        matrix = np.array(
            [[zoom, 0, (1 - zoom) * (width - 1) / 2], [0, zoom, (1 - zoom) * (height - 1) / 2]]
        )
        total += cv2.warpAffine(
            image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return to_bytes(total / (_STEPS + 1))
