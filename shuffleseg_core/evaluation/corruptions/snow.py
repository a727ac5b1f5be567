"""Falling snow: flakes drawn out by their fall, in a picture that is paler for it."""

from __future__ import annotations

import cv2
import numpy as np

from ...camera_effects import motion_blur
from .values import to_bytes


def snow(
    image: np.ndarray,
    mean: float,
    sigma: float,
    flake: float,
    threshold: float,
    fall: float,
    clear: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Add two layers of snow, one the other upside down.

    Args:
        image: uint8 [H, W, 3].
        mean, sigma: of the normal numbers that flakes are made of.
        flake: pixels that one number is enlarged to.
        threshold: numbers below it are no flake; 1 is a white one.
        fall: length of a flake's trace, in pixels.
        clear: share of the picture that is not paled.
        rng: draws the flakes and the direction of their fall.
    """
    height, width = image.shape[:2]
    numbers = rng.standard_normal((int(height / flake) + 2, int(width / flake) + 2), np.float32)
    numbers = numbers * np.float32(sigma) + np.float32(mean)
    flakes = cv2.resize(numbers, None, fx=flake, fy=flake, interpolation=cv2.INTER_LINEAR)
    flakes = flakes[:height, :width]
    flakes = np.where(flakes < threshold, np.float32(0), np.minimum(flakes, 1))
    flakes = cv2.merge([to_bytes(255 * flakes)] * 3)
    flakes = motion_blur(flakes, fall, rng.uniform(45, 135)) / np.float32(255)
    x = image.astype(np.float32) / 255
    pale = np.maximum(x, cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)[..., None] * 1.5 + 0.5)
    x = clear * x + (1 - clear) * pale
    return to_bytes((x + flakes + flakes[::-1, ::-1]) * 255)
