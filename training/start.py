"""What a training begins with instead of random weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Start:
    """Attributes:
    path: file or folder of weights, see `load_starting_weights`.
    backbone_only: leave its head and classifier aside.
    """

    path: Path
    backbone_only: bool = False

    def __str__(self) -> str:
        """For records: nothing of where the file lies."""
        return ("backbone of " if self.backbone_only else "") + self.path.name
