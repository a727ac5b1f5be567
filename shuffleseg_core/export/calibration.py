"""Frames by which a network's value ranges are measured before it is quantized."""

from __future__ import annotations

import contextlib
import os

import numpy as np

from ..errors import UserError
from ..frame_source import ImageFolder, open_frames
from ..image_file import read_rgb
from ..network_input import resize_to_input


def calibration_frames(
    source: str | os.PathLike, count: int, input_size: tuple[int, int]
) -> list[np.ndarray]:
    """Frames spread evenly over a source, as the Segmenter feeds them.

    Args:
        source: folder of images, image or video.
        count: how many; all where there are fewer. Unreadable ones are left out.
        input_size: (width, height) of the network's input.

    Returns:
        uint8 [height, width, 3] each, RGB.

    Raises:
        UserError: the source cannot be read, or no frame of it.
    """
    frames = open_frames(source, with_truth=False)
    if isinstance(frames, ImageFolder):
        found = _of_files([frames.files[i] for i in _even(len(frames.files), count)], input_size)
    else:
        found = _of_stream(frames, count, input_size)
    if not found:
        raise UserError(f"{source}: no frame to calibrate by can be read")
    return found


def _even(length: int, count: int) -> list[int]:
    """`count` indices spread evenly over `length`; all where there are fewer."""
    return np.linspace(0, length - 1, min(count, length)).astype(int).tolist()


def _of_files(files, input_size) -> list[np.ndarray]:
    images = []
    for file in files:
        with contextlib.suppress(UserError):  # unreadable
            images.append(resize_to_input(read_rgb(file), input_size))
    return images


def _of_stream(frames, count: int, input_size) -> list[np.ndarray]:
    """Every n-th frame, n doubling as the stream goes on: not every video knows its length."""
    images, every = [], 1
    for index, frame in enumerate(frames):
        if index % every == 0 and frame.image is not None:
            images.append(resize_to_input(frame.image, input_size))
            if len(images) >= 2 * count:
                images, every = images[::2], 2 * every
    return [images[i] for i in _even(len(images), count)]
