"""Label images as pictures: by C where it could be compiled, elsewhere the same by OpenCV."""

from __future__ import annotations

import ctypes
from functools import lru_cache

import cv2
import numpy as np

from . import compiled
from .label_map import LabelMap

_FUNCTION = compiled.function(
    "overlay",
    *(ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64),
    *(ctypes.c_void_p, ctypes.c_void_p),
)


def colorize(labels: np.ndarray, label_map: LabelMap, out: np.ndarray | None = None) -> np.ndarray:
    """Paint each pixel in its class's colour.

    Args:
        labels: uint8 [H, W] class ids.
        label_map: gives the colours; ids that are no class become black.
        out: uint8 [H, W, 3], C-contiguous, to write into; None takes a new array.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        ValueError: `labels` or `out` is no such array.
    """
    out = _checked_out(labels, out)
    if _FUNCTION is None:
        return cv2.applyColorMap(labels, label_map.palette[:, None], dst=out)
    _call(out, labels, _opaque(label_map), out)  # whatever it held, nothing of it is left
    return out


def overlay(
    image: np.ndarray,
    labels: np.ndarray,
    label_map: LabelMap,
    opacity: float = 0.5,
    out: np.ndarray | None = None,
    order: str = "rgb",
) -> np.ndarray:
    """Lay the class colours over the camera image.

    Pixels whose id is no class, as 255 for unlabelled ones, keep the camera's colour.

    Args:
        image: uint8 [H, W, 3] camera image; its rows may be padded.
        labels: uint8 [H, W] class ids.
        label_map: gives the colours.
        opacity: 0 shows the camera image alone, 1 the colours alone; taken in steps of 1/256.
        out: uint8 [H, W, 3], C-contiguous, to write into; None takes a new array. It may be
            `image`.
        order: of the image's and the result's channels, `rgb` or `bgr`.

    Returns:
        uint8 [H, W, 3].

    Raises:
        ValueError: an array is none such, or `opacity` or `order` is out of range.
    """
    out = _checked_out(labels, out)
    if image.dtype != np.uint8 or image.shape != out.shape:
        raise ValueError(f"image is {image.dtype} {image.shape}; labels want uint8 {out.shape}")
    if not 0 <= opacity <= 1 or order not in ("rgb", "bgr"):
        raise ValueError(f"opacity is {opacity!r}, order {order!r}; give 0 to 1, 'rgb' or 'bgr'")
    share = round(256 * opacity)
    if _FUNCTION is None:
        _overlay_by_opencv(image, labels, label_map, share, order, out)
    else:
        _call(image, labels, _translucent(label_map, share, order), out)
    return out


def _checked_out(labels: np.ndarray, out: np.ndarray | None) -> np.ndarray:
    if labels.dtype != np.uint8 or labels.ndim != 2:
        raise ValueError(f"labels are uint8 [H, W]; these are {labels.dtype} {labels.shape}")
    shape = (*labels.shape, 3)
    if out is None:
        return np.empty(shape, np.uint8)
    if out.dtype != np.uint8 or out.shape != shape or not out.flags.c_contiguous:
        raise ValueError(f"out is {out.dtype} {out.shape}; give a whole uint8 {shape}")
    return out


@lru_cache(maxsize=16)
def _translucent(label_map: LabelMap, share: int, order: str) -> np.ndarray:
    """uint16 [256, 2, 24]: overlay.c's paints; `share` in 256ths."""
    opacities = np.zeros((256, 1), np.uint16)
    opacities[: len(label_map)] = share
    return _paints(_palette(label_map, order), opacities)


@lru_cache(maxsize=16)
def _opaque(label_map: LabelMap) -> np.ndarray:
    return _paints(label_map.palette, np.full((256, 1), 256, np.uint16))


def _paints(colors: np.ndarray, opacities: np.ndarray) -> np.ndarray:
    paints = np.empty((256, 2, 24), np.uint16)
    paints[:, 0] = np.tile(colors * opacities + np.uint16(128), 8)
    paints[:, 1] = 256 - opacities
    return paints


def _call(image: np.ndarray, labels: np.ndarray, paints: np.ndarray, out: np.ndarray) -> None:
    if image.strides[1:] != (3, 1):
        image = np.ascontiguousarray(image)
    labels = np.ascontiguousarray(labels)
    _FUNCTION(
        *(image.ctypes.data, image.strides[0], labels.ctypes.data, *labels.shape),
        *(paints.ctypes.data, out.ctypes.data),
    )


def _overlay_by_opencv(
    image: np.ndarray,
    labels: np.ndarray,
    label_map: LabelMap,
    share: int,
    order: str,
    out: np.ndarray,
) -> None:
    """What overlay.c does."""
    palette = np.ascontiguousarray(_palette(label_map, order))
    colors = cv2.applyColorMap(labels, palette[:, None])
    unlabelled = (labels >= len(label_map)).view(np.uint8)
    cv2.copyTo(image, unlabelled, colors)  # laid over itself, the camera's pixel stays
    # Floats hold these sums exactly, and none lies halfway between two pixel values.
    cv2.addWeighted(colors, share / 256, image, 1 - share / 256, 2**-9, dst=out)


def _palette(label_map: LabelMap, order: str) -> np.ndarray:
    return label_map.palette if order == "rgb" else label_map.palette[:, ::-1]
