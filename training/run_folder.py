"""The files that a training leaves."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shuffleseg_core.errors import UserError
from shuffleseg_core.trained_files import WEIGHTS


@dataclass(frozen=True)
class RunFolder:
    """The files of one training (of one stage, where a recipe has several).

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def recipe(self) -> Path:
        """The recipe with all defaults filled in (YAML)."""
        return self.path / "recipe.yaml"

    @property
    def sessions(self) -> Path:
        """One JSON object for each time that the training was started: versions, git, machine."""
        return self.path / "sessions.jsonl"

    @property
    def checkpoint(self) -> Path:
        """State to resume from."""
        return self.path / "checkpoint.weights.h5"

    @property
    def weights(self) -> Path:
        """The trained weights, written at the end."""
        return self.path / WEIGHTS

    @property
    def class_pixels(self) -> Path:
        """Pixels of each class in the training set (JSON), where the loss asked for them."""
        return self.path / "class_pixels.json"

    @property
    def metrics(self) -> Path:
        """One JSON object a line: step, epoch, loss, learning_rate, val_miou …"""
        return self.path / "metrics.jsonl"

    @property
    def curves(self) -> Path:
        """The metrics as a picture."""
        return self.path / "curves.png"

    @property
    def masks(self) -> Path:
        """Validation images, their truth and the network's labels, as a picture."""
        return self.path / "masks.png"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's event files."""
        return self.path / "tensorboard"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training into this folder meanwhile; made if missing.

        The lock ends with the process, however that ends. On shared disks that know no locks
        there is none.

        Raises:
            UserError: another process holds it, or the folder cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror}") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(
                    f"{self.path}: another process is training into this folder; wait for it, "
                    "stop it, or give another --output"
                ) from None
            except OSError:
                pass
            yield
        finally:
            os.close(descriptor)
