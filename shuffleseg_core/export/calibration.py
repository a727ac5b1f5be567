"""Frames by which a network's value ranges are measured before it is quantized."""

from __future__ import annotations

import os

import numpy as np

from ..errors import UserError
from ..frame_source import open_frames
from ..segmenter import resize_to_input


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
    if count < 1:
        raise UserError(f"--calibration-frames is {count}; give 1 or more")
    frames = open_frames(source, with_truth=False)
    wanted = set(np.linspace(0, len(frames) - 1, min(count, len(frames))).astype(int).tolist())
    found = [
        resize_to_input(frame.image, input_size)
        for index, frame in enumerate(frames)
        if index in wanted and frame.image is not None
    ]
    if not found:
        raise UserError(f"{source}: no frame to calibrate by can be read")
    return found
