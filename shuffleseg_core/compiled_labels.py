"""The compiled form of `upsampling`."""

from __future__ import annotations

import ctypes

import numpy as np

from . import compiled


class _Direction(ctypes.Structure):
    _fields_ = (
        ("samples", ctypes.c_int64),
        ("size", ctypes.c_int64),
        ("first", ctypes.c_void_p),
        ("weight", ctypes.c_void_p),
    )


_FUNCTION = compiled.function(
    "label_upsampling",
    *(ctypes.c_void_p, ctypes.POINTER(_Direction), ctypes.POINTER(_Direction)),
    *(ctypes.c_int64, ctypes.c_float, ctypes.c_float, ctypes.c_float),
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
)

#: Whether it was built.
IS_BUILT = _FUNCTION is not None


class CompiledLabels:
    """Labels of one size from logits of one shape.

    Args:
        shape: (h, w, C) of the logits, C from 1 to 256.
        first: (along rows, along columns), each int [samples + 2]: the first pixel of each cell,
            then the size.
        weight: (along rows, along columns), each float32 [size]: how far each pixel lies from the
            sample before it.
        limits: (share of the largest logit that rounding may take, a least tolerance, the largest
            magnitude of a logit that can be blended).
    """

    def __init__(self, shape, first, weight, limits: tuple[float, float, float]):
        self._logits = np.empty(shape, np.float32)
        self._limits = limits
        # ctypes keeps addresses alone.
        self._kept = [np.ascontiguousarray(f, np.int32) for f in first]
        self._kept += [np.ascontiguousarray(w, np.float32) for w in weight]
        rows, columns = self._kept[:2]
        self._directions = [
            _Direction(len(f) - 2, len(w), f.ctypes.data, w.ctypes.data)
            for f, w in zip(self._kept[:2], self._kept[2:])
        ]
        longest = int(np.diff(columns).max())
        samples, classes = shape[0] * shape[1], shape[2]
        self._values = np.empty((2 * classes + 1) * longest + classes, np.float32)
        self._bytes = np.empty(2 * samples + classes, np.uint8)

    def __call__(self, logits: np.ndarray, out: np.ndarray) -> int:
        """Write labels, uint8 [height, width] in one piece; returns how many pixels lay in cells of
        several classes."""
        if logits.dtype != np.float32 or not logits.flags.c_contiguous:
            np.copyto(self._logits, logits)
            logits = self._logits
        blended = self._call(logits, out)
        if blended < 0:
            np.copyto(self._logits, logits)
            largest = self._limits[2]
            np.nan_to_num(self._logits, copy=False, nan=-largest, posinf=largest, neginf=-largest)
            np.clip(self._logits, -largest, largest, out=self._logits)
            blended = self._call(self._logits, out)
        return blended

    def _call(self, logits: np.ndarray, out: np.ndarray) -> int:
        return _FUNCTION(
            logits.ctypes.data,
            *(ctypes.byref(direction) for direction in self._directions),
            self._logits.shape[2],
            *self._limits,
            *(buffer.ctypes.data for buffer in (self._values, self._bytes, out)),
        )
