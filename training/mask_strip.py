"""What TensorBoard shows of a network in training: image, truth, labels, side by side."""

from __future__ import annotations

import cv2
import numpy as np

from shuffleseg_core.label_map import LabelMap
from shuffleseg_core.mask_comparison import ComparedFrame

_WIDTH = 480


def mask_strip(frame: ComparedFrame, label_map: LabelMap) -> np.ndarray:
    """uint8 [h, n · w, 3] RGB: image | truth | masks, at most 480 pixels wide each."""
    scale = min(_WIDTH / frame.image.shape[1], 1.0)
    size = (round(frame.image.shape[1] * scale), max(round(frame.image.shape[0] * scale), 1))
    parts = frame.pictures(label_map)
    return np.hstack([cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in parts])
