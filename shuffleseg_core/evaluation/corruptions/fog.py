"""Fog in banks: a light that is thicker here and thinner there."""

from __future__ import annotations

import cv2
import numpy as np

from .values import to_bytes


def plasma_fog(
    image: np.ndarray, density: float, decay: float, rng: np.random.Generator
) -> np.ndarray:
    """Add white plasma, then bring the values back into their range.

    The original's plasma is a diamond-square fractal; this is its sum of octaves, each smoothly
    enlarged, of half the size and 1 / `decay` of the height of the one before.

    Args:
        image: uint8 [H, W, 3].
        density: the thickest fog, in units of white.
        decay: above 1; the smaller, the more ragged.
        rng: draws the plasma.
    """
    height, width = image.shape[:2]
    plasma = np.zeros((height, width), np.float32)
    for octave in range(1, int(np.log2(max(height, width, 2))) + 1):
        cells = rng.random((2**octave + 1,) * 2, np.float32)
        shape = (max(width, 2**octave), max(height, 2**octave))
        enlarged = cv2.resize(cells, shape, interpolation=cv2.INTER_CUBIC)
        plasma += enlarged[:height, :width] / np.float32(decay**octave)
    plasma -= plasma.min()
    plasma /= max(plasma.max(), np.float32(1e-6))
    brightest = max(float(image.max()) / 255, 1e-6)
    fogged = image + (255 * density * plasma)[..., None]
    return to_bytes(fogged * np.float32(brightest / (brightest + density)))
