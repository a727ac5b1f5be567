"""Drops of water, or mud, on the lens."""

from __future__ import annotations

import cv2
import numpy as np

from .values import to_bytes

_WATER = (175, 238, 238)  # RGB, pale turquoise
_MUD = (63, 42, 20)
_DEPTH = 20  # pixels from its edge where a drop stops rising
_RELIEF = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], np.float32)  # light from one corner
_COVERED = 0.8  # share of mud around a pixel that hides it


def spatter(
    image: np.ndarray,
    mean: float,
    sigma: float,
    size: float,
    threshold: float,
    light: float,
    smooth: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Drops where normal numbers, smoothed, are above a threshold.

    The original's water takes the relief from edges that Canny's method finds, this one from the
    drops' own.

    Args:
        image: uint8 [H, W, 3].
        mean, sigma: of the numbers.
        size: σ in pixels of the Gaussian that smooths them; it shrinks their deviation.
        threshold: drops are where the smoothed numbers exceed it.
        light: water: of the brightest spot, 0 to 1.
        smooth: mud: σ in pixels that its edge is smoothed by; 0 for water.
        rng: draws the numbers.
    """
    numbers = rng.standard_normal(image.shape[:2], np.float32) * np.float32(sigma)
    liquid = cv2.GaussianBlur(numbers, (0, 0), size) + np.float32(mean)
    drops = liquid > threshold
    if smooth:
        cover = cv2.GaussianBlur(drops.astype(np.float32), (0, 0), smooth)[..., None]
        cover[cover < _COVERED] = 0
        return to_bytes(image * (1 - cover) + cover * np.float32(_MUD))
    depth = cv2.distanceTransform(drops.astype(np.uint8), cv2.DIST_L2, 5)
    relief = np.maximum(cv2.filter2D(np.minimum(depth, _DEPTH), -1, _RELIEF), 0)
    shine = liquid * drops * cv2.blur(relief, (3, 3))
    shine *= np.float32(light) / max(shine.max(), np.float32(1e-6))
    return to_bytes(image + shine[..., None] * np.float32(_WATER))
