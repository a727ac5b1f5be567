"""Reading and writing single image files, with errors that name the file."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from .atomic_file import atomic_path
from .errors import UserError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm")


def is_image_file(path: str | os.PathLike) -> bool:
    return Path(path).suffix.lower() in IMAGE_SUFFIXES


def read_rgb(path: str | os.PathLike) -> np.ndarray:
    """Read a colour or grey image file.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        UserError: the file is missing, or no image that OpenCV can decode.
    """
    image = _decode(path, cv2.IMREAD_COLOR)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_labels(path: str | os.PathLike) -> np.ndarray:
    """Read an image of class ids, one byte a pixel.

    Returns:
        uint8 [H, W].

    Raises:
        UserError: the file is missing, unreadable, or has several channels or 16 bits.
    """
    labels = _decode(path, cv2.IMREAD_UNCHANGED)
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise UserError(
            f"{path}: label image is {labels.dtype} with shape {labels.shape}; "
            "save class ids as one byte a pixel, without a palette"
        )
    return labels


def write_png(path: str | os.PathLike, image: np.ndarray) -> None:
    """Write uint8 [H, W] as it is, or uint8 [H, W, 3] as RGB, so that no half file is left.

    Raises:
        UserError: the folder cannot be written.
    """
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    try:
        with atomic_path(path) as temporary:
            ok, encoded = cv2.imencode(".png", image)
            if not ok:
                raise UserError(f"{path}: OpenCV could not encode {image.shape} {image.dtype}")
            temporary.write_bytes(encoded.tobytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error


def _decode(path, flags: int) -> np.ndarray:
    # Decoding from memory keeps OpenCV from printing warnings of its own about bad files.
    try:
        image = cv2.imdecode(_bytes(path), flags)
    except cv2.error as error:  # for example a header that claims billions of pixels
        raise UserError(f"{path}: not a readable image ({error.err}); replace the file") from error
    if image is None:
        raise UserError(f"{path}: not a readable image; remove or replace the file")
    return image


def _bytes(path) -> np.ndarray:
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    if not data.size:
        raise UserError(f"{path}: the file is empty; remove or replace it")
    return data
