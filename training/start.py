"""What a training begins with instead of random weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Start:
    """Weights to begin with; the attributes are arguments of `load_starting_weights`.

    Attributes:
        path: file or folder.
        head: `required`, `if_it_fits` or `none`.
    """

    path: Path
    head: str = "required"
