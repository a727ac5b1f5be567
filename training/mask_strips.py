"""Pictures of what a network says during training: image, truth, labels, side by side."""

from __future__ import annotations

import cv2
import numpy as np

from shuffleseg_core.colorize import colorize
from shuffleseg_core.label_map import LabelMap

_WIDTH = 480


def mask_strip(
    image: np.ndarray, truth: np.ndarray, labels: np.ndarray, label_map: LabelMap
) -> np.ndarray:
    """uint8 [h, 3 · w, 3] RGB: image | truth | labels, at most 480 pixels wide each.

    Args:
        image: uint8 [H, W, 3] RGB.
        truth, labels: uint8 [H, W] ids; those that are no class become black.
    """
    parts = [image, colorize(truth, label_map), colorize(labels, label_map)]
    scale = min(_WIDTH / image.shape[1], 1.0)
    size = (round(image.shape[1] * scale), max(round(image.shape[0] * scale), 1))
    return np.hstack([cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in parts])


def stack_strips(strips: list[np.ndarray]) -> np.ndarray:
    """uint8 [Σh, max w, 3]: strips above each other, on black where widths differ."""
    width = max(strip.shape[1] for strip in strips)
    return np.vstack(
        [
            cv2.copyMakeBorder(
                strip, 0, 0, 0, width - strip.shape[1], cv2.BORDER_CONSTANT, value=(0, 0, 0)
            )
            for strip in strips
        ]
    )
