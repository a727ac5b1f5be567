"""Frames of the synthetic drive as labelled images to train and to score on."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .label_map import LabelMap
from .synthetic_drive import SyntheticDrive

#: Drives with seeds below this stay out of training: demo, tests and scores use them.
FIRST_TRAINING_SEED = 1000
DRIVE_FRAMES = 300


class SyntheticDataset:
    """`frames_per_drive` frames, evenly spread, of each of `num_drives` drives.

    Offers what `Dataset` offers. A drive's frames are drawn when one of them is first read,
    and then kept (0.7 MB each at 480×360).

    Args:
        size: (width, height) of the frames in pixels.
        num_drives, frames_per_drive: how many.
        first_seed: seed of the first drive; the others follow.
    """

    def __init__(
        self,
        size: tuple[int, int],
        num_drives: int = 40,
        frames_per_drive: int = 10,
        first_seed: int = FIRST_TRAINING_SEED,
    ):
        self.name = f"synthetic drives {first_seed} to {first_seed + num_drives - 1}"
        self.size = size
        self.label_map = LabelMap.named("camvid")
        self.num_drives = num_drives
        self.frames_per_drive = frames_per_drive
        self.first_seed = first_seed
        # Building a drive takes as long as dozens of its frames, so they are drawn together.
        self._drive_frames = lru_cache(maxsize=None)(self._draw)

    def __len__(self) -> int:
        return self.num_drives * self.frames_per_drive

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """(uint8 [H, W, 3] RGB, uint8 [H, W] ids); do not write into them."""
        drive, frame = divmod(index, self.frames_per_drive)
        return self._drive_frames(self.first_seed + drive)[frame]

    def _draw(self, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
        drive = SyntheticDrive(seed, *self.size, num_frames=DRIVE_FRAMES)
        step = DRIVE_FRAMES / self.frames_per_drive
        return [drive.frame(int(frame * step)) for frame in range(self.frames_per_drive)]
