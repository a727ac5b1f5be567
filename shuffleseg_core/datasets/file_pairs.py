"""Data sets that are pairs of files: an image, and a PNG of ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..image_file import read_labels, read_rgb
from ..label_map import LabelMap
from .dataset import Dataset


@dataclass(frozen=True)
class FilePairs(Dataset):
    """A split whose label files hold the ids of `label_map` as they are.

    Attributes:
        name, label_map: see `Dataset`.
        pairs: (image file, label file), sorted by image name.
    """

    name: str
    pairs: tuple[tuple[Path, Path], ...]
    label_map: LabelMap

    def __len__(self) -> int:
        return len(self.pairs)

    def sample_name(self, index: int) -> str:
        return self.pairs[index][0].stem

    def labels_source(self, index: int) -> str:
        return str(self.pairs[index][1])

    def read_image(self, index: int) -> np.ndarray:
        return read_rgb(self.pairs[index][0])

    def read_labels(self, index: int) -> np.ndarray:
        path = self.pairs[index][1]
        labels = read_labels(path)
        wrong = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
        wrong = wrong[(wrong >= len(self.label_map)) & (wrong != self.label_map.ignore_id)]
        if wrong.size:
            raise UserError(
                f"{path}: id {wrong[0]} is no class; ids are 0 to "
                f"{len(self.label_map) - 1}, and {self.label_map.ignore_id} for unlabelled"
            )
        return labels
