"""From a camera image to a network's input, in place."""

from __future__ import annotations

import cv2
import numpy as np

from .area_resize import area_resize
from .errors import UserError
from .model_description import ModelDescription


def resize_to_input(
    rgb: np.ndarray, size: tuple[int, int], out: np.ndarray | None = None
) -> np.ndarray:
    """A camera image uint8 [H, W, 3] at a network's input size (width, height); itself if it is.

    `out` is where it may be written, uint8 [height, width, 3]; None takes a new array.
    """
    width, height = size
    if rgb.shape[:2] == (height, width):
        return rgb
    if rgb.shape[0] <= height or rgb.shape[1] <= width:
        return cv2.resize(rgb, size, dst=out, interpolation=cv2.INTER_LINEAR)
    if out is None:
        out = np.empty((height, width, 3), np.uint8)
    # Averaging over areas keeps thin things that sampling between 4 pixels would miss. Halving is
    # what OpenCV does fast itself.
    if rgb.shape[:2] != (2 * height, 2 * width) and area_resize(rgb, out):
        return out
    return cv2.resize(rgb, size, dst=out, interpolation=cv2.INTER_AREA)


class NetworkInput:
    """The one image that an interpreter's model takes. Allocates nothing from frame to frame.

    Args:
        interpreter: with its tensors allocated.
        path: of the model, for messages.
        description: what the model says of itself, or None.

    Attributes:
        size: (width, height) in pixels.

    Raises:
        UserError: the model takes something else than one image of one size.
    """

    def __init__(self, interpreter, path, description: ModelDescription | None):
        self._interpreter = interpreter
        inputs = interpreter.get_input_details()
        shape = tuple(int(n) for n in inputs[0]["shape"]) if len(inputs) == 1 else ()
        if len(shape) != 4 or shape[0] != 1 or shape[3] != 3 or min(shape) < 1:
            raise UserError(
                f"model {path}: takes {[tuple(i['shape']) for i in inputs]}; "
                "a segmentation model takes one image [1, height, width, 3]"
            )
        if min(inputs[0].get("shape_signature", shape)) < 0:
            raise UserError(
                f"model {path}: takes images of any size, so that none can be chosen; "
                "export it for one size"
            )
        dtype = np.dtype(inputs[0]["dtype"])
        if dtype not in (np.float32, np.uint8, np.int8):
            raise UserError(
                f"model {path}: input is {dtype.name}; float32, uint8 and int8 can be fed"
            )
        self._index = inputs[0]["index"]
        self.size = (shape[2], shape[1])
        self._resized = np.empty(shape[1:], np.uint8)
        self._swapped = np.empty_like(self._resized)
        table = _table(dtype, inputs[0]["quantization"], description)
        # Most models take the pixels as they are.
        self._table = None if np.array_equal(table, np.arange(256)) else table

    def feed(self, image: np.ndarray, order: str = "rgb") -> None:
        """Write an image, uint8 [H, W, 3] of any size, into the interpreter's own memory.

        `order` is that of its channels, rgb or bgr: whatever the network takes is the same.
        """
        pixels = resize_to_input(image, self.size, self._resized)
        if order == "bgr":  # the small image's, and never in place: it may be the camera's own
            pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=self._swapped)
        values = self._interpreter.tensor(self._index)()[0]
        if self._table is None:
            np.copyto(values, pixels)
        else:
            cv2.LUT(pixels, self._table, dst=values)


def _table(
    dtype: np.dtype, quantization: tuple[float, int], description: ModelDescription | None
) -> np.ndarray:
    """[256] of the input's dtype: what each pixel value is fed as.

    Without a description, float inputs are taken to want 0–255, and 8-bit inputs all of
    their range, from black to white.
    """
    low, high = description.input_range if description else (0.0, 255.0)
    real = low + np.arange(256) * ((high - low) / 255.0)
    if dtype == np.float32:
        return real.astype(np.float32)
    limits = np.iinfo(dtype)
    scale, zero = quantization
    if not scale or description is None:
        return (np.arange(256) + limits.min).astype(dtype)
    return np.clip(np.round(real / scale) + zero, limits.min, limits.max).astype(dtype)
