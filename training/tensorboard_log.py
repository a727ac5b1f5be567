"""Scalars and sample masks for TensorBoard."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from tensorboardX import SummaryWriter


class TensorBoardLog:
    """Writes event files that `tensorboard --logdir FOLDER` shows.

    Args:
        folder: made if missing.
        step: the step that the training goes on from; what was logged after it is hidden.
    """

    def __init__(self, folder: Path, step: int):
        self._writer = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def scalars(self, step: int, **values: float) -> None:
        """Log numbers under their names ("/" groups them); NaN has no point on a curve."""
        for name, value in values.items():
            if math.isfinite(value):
                self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def image(self, step: int, name: str, picture: np.ndarray) -> None:
        """Log a uint8 [H, W, 3] RGB picture."""
        self._writer.add_image(name, picture, step, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
