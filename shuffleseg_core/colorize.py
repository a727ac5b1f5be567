"""Label images as pictures."""

from __future__ import annotations

import cv2
import numpy as np

from .label_map import LabelMap


def colorize(labels: np.ndarray, label_map: LabelMap, out: np.ndarray | None = None) -> np.ndarray:
    """Paint each pixel in its class's colour.

    Args:
        labels: uint8 [H, W] class ids.
        label_map: gives the colours; ids that are no class become black.
        out: uint8 [H, W, 3] to write into, if given.

    Returns:
        uint8 [H, W, 3], RGB.
    """
    # One pass over the pixels; cv2.LUT with a 3-channel table wants a 3-channel input,
    # and numpy's take on a [256, 3] palette is as fast without that copy.
    return np.take(label_map.palette, labels, axis=0, out=out, mode="clip")


def overlay(
    rgb: np.ndarray,
    labels: np.ndarray,
    label_map: LabelMap,
    opacity: float = 0.5,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Lay the class colours over the camera image.

    Args:
        rgb: uint8 [H, W, 3] camera image.
        labels: uint8 [H, W] class ids.
        label_map: gives the colours.
        opacity: 0 shows the camera image alone, 1 the colours alone.
        out: uint8 [H, W, 3] to write into, if given.

    Returns:
        uint8 [H, W, 3], RGB.
    """
    color = colorize(labels, label_map)
    return cv2.addWeighted(color, opacity, rgb, 1.0 - opacity, 0.0, dst=out)
