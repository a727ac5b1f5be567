"""Brightness and saturation in HSV, contrast around the picture's mean."""

from __future__ import annotations

import cv2
import numpy as np

from .values import to_bytes


def brightness(image: np.ndarray, shift: float) -> np.ndarray:
    """Add to HSV's value, 0 to 1."""
    return _in_hsv(image, 2, 1.0, shift)


def saturate(image: np.ndarray, factor: float, shift: float) -> np.ndarray:
    """HSV's saturation, 0 to 1, times a factor, plus a shift."""
    return _in_hsv(image, 1, factor, shift)


def contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Each channel's distance from its mean over the picture, times a factor."""
    mean = image.mean((0, 1), dtype=np.float64).astype(np.float32)
    return to_bytes((image - mean) * np.float32(factor) + mean)


def _in_hsv(image: np.ndarray, channel: int, factor: float, shift: float) -> np.ndarray:
    hsv = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    hsv[..., channel] = np.clip(hsv[..., channel] * np.float32(factor) + np.float32(shift), 0, 1)
    return to_bytes(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255)
