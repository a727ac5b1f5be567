"""Scalars and sample masks for TensorBoard."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog


class TensorBoardLog:
    """Writes event files that `tensorboard --logdir FOLDER` shows.

    At once, not in a thread as tensorboardX's SummaryWriter: a thread that a full disk ends makes
    the training wait for it for ever.

    Args:
        folder: made if missing.
        step: the step that the training goes on from; what was logged after it is hidden.

    Raises:
        OSError: by every method, where the file cannot be written.
    """

    def __init__(self, folder: Path, step: int):
        folder.mkdir(parents=True, exist_ok=True)
        self._writer = EventsWriter(str(folder / "events"))
        self._write(step + 1, session_log=SessionLog(status=SessionLog.START))

    def scalars(self, step: int, **values: float) -> None:
        """Log numbers under their names ("/" groups them); NaN has no point on a curve."""
        for name, value in values.items():
            if math.isfinite(value):
                self._write(step, summary=summary.scalar(name, value))

    def image(self, step: int, name: str, picture: np.ndarray) -> None:
        """Log a uint8 [H, W, 3] RGB picture."""
        self._write(step, summary=summary.image(name, picture, dataformats="HWC"))

    def _write(self, step: int, **content) -> None:
        self._writer.write_event(Event(wall_time=time.time(), step=step, **content))
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
