"""From logits at output stride to the classes' probabilities."""

from __future__ import annotations

import cv2
import numpy as np

from .upsampling import align_corners_matrix


def probability_grid(samples: tuple[int, int], input_size: tuple[int, int]) -> tuple[int, int]:
    """Where probabilities are to be computed that are enlarged afterwards: (width, height).

    At least a quarter of the network's input in each direction: from coarser logits, the blend
    between two classes would be one of probabilities, which is another one than that of logits
    by which labels are chosen.

    Args:
        samples: (width, height) of the logits.
        input_size: (width, height) of the network's input.
    """
    return tuple(max(n, -(-pixels // 4)) for n, pixels in zip(samples, input_size))


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
    planes = np.ascontiguousarray(logits.transpose(2, 0, 1))
    if planes.shape[:0:-1] != size:
        planes = np.stack([_resize(plane, size, align_corners) for plane in planes])
    planes -= planes.max(0)
    flat = planes.reshape(len(planes), -1)
    cv2.exp(flat, dst=flat)
    planes /= planes.sum(0)
    return planes


def enlarge_probability(
    probability: np.ndarray,
    size: tuple[int, int],
    align_corners: bool,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Bilinear resize to bytes, 255 for a probability of 1.

    Args:
        probability: float32 [h, w], 0–1.
        size: (width, height) wanted.
        align_corners: see `LabelUpsampler`.
        out: uint8 [height, width], C-contiguous, to write into; None takes a new array.

    Returns:
        uint8 [height, width].
    """
    if align_corners:
        return cv2.convertScaleAbs(_resize(probability, size, True), dst=out, alpha=255)
    # Bytes are enlarged in less time than floats.
    return cv2.resize(cv2.convertScaleAbs(probability, alpha=255), size, dst=out)


def _resize(plane: np.ndarray, size: tuple[int, int], align_corners: bool) -> np.ndarray:
    """float32 [h, w] at another size."""
    if not align_corners:
        return cv2.resize(plane, size)
    width, height = size
    rows = align_corners_matrix(height, plane.shape[0])
    columns = align_corners_matrix(width, plane.shape[1])
    return rows @ (plane @ columns.T)
