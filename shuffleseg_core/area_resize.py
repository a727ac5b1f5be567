"""The compiled form of OpenCV's INTER_AREA: equal but for rounding, in half of the time."""

from __future__ import annotations

import ctypes
from functools import lru_cache

import numpy as np

from . import compiled


class _Coverage(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_int64),
        ("first", ctypes.c_void_p),
        ("begin", ctypes.c_void_p),
        ("share", ctypes.c_void_p),
    )


_FUNCTION = compiled.function(
    "area_resize",
    *(ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64),
    *(ctypes.POINTER(_Coverage), ctypes.POINTER(_Coverage), ctypes.c_void_p),
)

#: Weights are 256ths, too coarse for means over more pixels.
_MOST_PIXELS = 32


def area_resize(image: np.ndarray, out: np.ndarray) -> bool:
    """Write `image`, uint8 [H, W, 3], into the smaller `out`, uint8 [h, w, 3] in one piece.

    Returns:
        Whether it was done: not where there is no compiled part, where the image is enlarged or
        shrunk more than 32 times in a direction, or where its pixels do not lie side by side.
    """
    if _FUNCTION is None or image.strides[1:] != (3, 1) or not out.flags.c_contiguous:
        return False
    sizes = list(zip(image.shape[:2], out.shape[:2]))
    if not all(small <= large <= _MOST_PIXELS * small for large, small in sizes):
        return False
    rows, columns = (_coverage(large, small) for large, small in sizes)
    status = _FUNCTION(
        *(image.ctypes.data, image.strides[0], image.shape[1]),
        *(ctypes.byref(rows), ctypes.byref(columns), out.ctypes.data),
    )
    return status == 0


@lru_cache(maxsize=64)
def _coverage(large: int, small: int) -> _Coverage:
    """One direction of the resize."""
    ends = np.arange(small + 1) * (large / small)
    ends[-1] = large
    first = np.floor(ends[:-1] + 1e-9).astype(np.int32)
    number = np.ceil(ends[1:] - 1e-9).astype(np.int32) - first
    begin = np.concatenate([[0], np.cumsum(number)]).astype(np.int32)
    pixel = np.arange(small).repeat(number)
    right = first[pixel] + np.arange(1, begin[-1] + 1) - begin[pixel]
    # Rounded sums, so that the parts of a pixel sum to the whole.
    covered = (np.minimum(right, ends[pixel + 1]) - ends[pixel]) * (256 * small / large)
    share = np.diff(np.round(covered), prepend=0)
    share[begin[1:-1]] += 256
    arrays = first, begin, share.astype(np.uint16)
    coverage = _Coverage(small, *(array.ctypes.data for array in arrays))
    coverage.arrays = arrays  # whose addresses it holds
    return coverage
