"""Reading and writing single image files, with errors that name the file."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from .atomic_file import atomic_path
from .errors import UserError
from .png_palette import png_depth_and_palette, without_palette

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
    labels, palette = read_mask(path)
    if labels.ndim != 2 or palette is not None:
        raise UserError(
            f"{path}: label image is in colour; save class ids as one byte a pixel, "
            "without a palette"
        )
    return labels


def read_mask(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray | None]:
    """Read a label image of ids or of colours, as the file stores it.

    Returns:
        One of (uint8 [H, W] ids, None), (uint8 [H, W] indices, uint8 [P, 3] RGB palette) and
        (uint8 [H, W, 3] RGB, None).

    Raises:
        UserError: the file is missing or unreadable, has 16 bits, or transparent pixels.
    """
    data, palette = _bytes(path), None
    depth, has_palette = png_depth_and_palette(data)
    if has_palette:
        try:
            data, palette = without_palette(data)
        except ValueError as error:
            raise UserError(f"{path}: not a readable image ({error}); replace the file") from error
    mask = _decode(path, cv2.IMREAD_UNCHANGED, data)
    if mask.dtype != np.uint8:
        raise UserError(
            f"{path}: label image is {mask.dtype} with shape {mask.shape}; "
            "save class ids as one byte a pixel"
        )
    if mask.ndim == 2:
        # OpenCV stretches values of 1, 2 and 4 bits to 0–255.
        return (mask // (255 // (2**depth - 1)) if depth < 8 else mask), palette
    if mask.shape[2] == 4 and mask[..., 3].min() < 255:
        raise UserError(f"{path}: label image has transparent pixels; save it without alpha")
    return cv2.cvtColor(mask, cv2.COLOR_BGRA2RGB if mask.shape[2] == 4 else cv2.COLOR_BGR2RGB), None


def read_instance_ids(path: str | os.PathLike) -> np.ndarray:
    """Read an image of instance ids, one or two bytes a pixel.

    Returns:
        int32 [H, W].

    Raises:
        UserError: the file is missing or unreadable, or has several channels.
    """
    ids = _decode(path, cv2.IMREAD_UNCHANGED)
    if ids.ndim != 2 or ids.dtype not in (np.uint8, np.uint16):
        raise UserError(
            f"{path}: instance image is {ids.dtype} with shape {ids.shape}; "
            "save instance ids as 16 bits a pixel"
        )
    return ids.astype(np.int32)


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


def _decode(path, flags: int, data: np.ndarray | None = None) -> np.ndarray:
    # Decoding from memory keeps OpenCV from printing warnings of its own about bad files.
    try:
        image = cv2.imdecode(_bytes(path) if data is None else data, flags)
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
