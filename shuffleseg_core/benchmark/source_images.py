"""Images to measure with, in memory before the measuring begins."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ..errors import UserError
from ..frame_source import open_frames
from ..network_input import resize_to_input
from ..synthetic_drive import SyntheticDrive


def source_images(
    source: str | None,
    sizes: Collection[tuple[int, int]],
    most: int = 20,
    option: str = "--source",
) -> dict[tuple[int, int], list[np.ndarray]]:
    """(width, height) → up to `most` images uint8 [height, width, 3] of that size, in RGB.

    Args:
        source: images, folder, video or rosbag2; None draws the procedural street.
        sizes: wanted ones, in pixels.
        most: images of each size.
        option: that the source is given by, for messages.

    Raises:
        UserError: the source cannot be read, or the street cannot be drawn of that size.
    """
    if source is None:
        width, height = max(sizes, key=lambda size: size[0] * size[1])
        try:
            drive = SyntheticDrive(seed=1, width=width, height=height)
        except ValueError as error:
            raise UserError(f"the procedural street's {error}; or give {option}") from error
        frames = [drive.frame(5 * number)[0] for number in range(most)]
    else:
        frames = []
        for frame in open_frames(source, with_truth=False):
            if frame.image is not None:
                frames.append(frame.image)
            if len(frames) == most:
                break
        if not frames:
            raise UserError(f"{option} {source}: no frame of it can be read")
    return {size: [resize_to_input(frame, size) for frame in frames] for size in sizes}


def images_with_truth(
    source: str | None, most: int = 20
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Images uint8 [H, W, 3] and their true class ids uint8 [H, W].

    Args:
        source: a folder with labels beside it; None draws the procedural street at 640×360.
        most: images.

    Raises:
        UserError: the source cannot be read, or has no labels.
    """
    if source is None:
        drive = SyntheticDrive(seed=1, width=640, height=360)
        return tuple(zip(*(drive.frame(5 * number)[:2] for number in range(most))))
    pairs = []
    for frame in open_frames(source):
        if frame.image is not None and frame.truth is not None:
            pairs.append((frame.image, frame.truth))
        if len(pairs) == most:
            break
    if not pairs:
        raise UserError(f"--source {source}: no frame has CamVid's labels beside it")
    return tuple(zip(*pairs))
