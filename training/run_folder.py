"""The files that a training leaves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shuffleseg_core.models.trained_network import WEIGHTS


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
