"""A pane of rough glass: neighbours change places between two blurs."""

from __future__ import annotations

import cv2
import numpy as np


def glass_blur(
    image: np.ndarray, sigma: float, reach: float, times: int, rng: np.random.Generator
) -> np.ndarray:
    """Blur, let each pixel take another's place, blur.

    The original swaps pixels one after another; here each pixel takes the value of one of its
    neighbours, all at once, which looks the same.

    Args:
        image: uint8 [H, W, 3].
        sigma: of the blurs, in pixels.
        reach: farthest neighbour along each axis, in pixels; at least one is taken.
        times: how often the places change.
        rng: draws the neighbours.
    """
    height, width = image.shape[:2]
    reach = max(round(reach), 1)
    blurred = cv2.GaussianBlur(image, (0, 0), sigma)
    rows, columns = np.indices((height, width), np.int32)
    for _ in range(times):
        moves = rng.integers(-reach, reach + 1, (2, height, width), np.int32)
        blurred = blurred[
            np.clip(rows + moves[0], 0, height - 1), np.clip(columns + moves[1], 0, width - 1)
        ]
    return cv2.GaussianBlur(blurred, (0, 0), sigma)
