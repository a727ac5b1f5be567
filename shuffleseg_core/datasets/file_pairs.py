"""Data sets that are pairs of files: an image, and a label image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import UserError
from ..image_file import read_rgb
from ..label_map import LabelMap
from .dataset import Dataset
from .mask_format import MaskFormat


class FilePair(NamedTuple):
    """One sample.

    Attributes:
        name: of the sample; fit for a file name.
        image: the image file.
        labels: where the label file is or should be; None where the data set has none.
    """

    name: str
    image: Path
    labels: Path | None


@dataclass(frozen=True)
class FilePairs(Dataset):
    """A split of image and label files.

    Attributes:
        name, label_map: see `Dataset`.
        pairs: the samples in order.
        mask_format: what the label files hold.
    """

    name: str
    pairs: tuple[FilePair, ...]
    label_map: LabelMap
    mask_format: MaskFormat

    def __len__(self) -> int:
        return len(self.pairs)

    def sample_name(self, index: int) -> str:
        return self.pairs[index].name

    def labels_source(self, index: int) -> str:
        return str(self.pairs[index].labels or self.pairs[index].image)

    def has_labels(self, index: int) -> bool:
        labels = self.pairs[index].labels
        return labels is not None and labels.is_file()

    def read_image(self, index: int) -> np.ndarray:
        return read_rgb(self.pairs[index].image)

    def read_labels(self, index: int) -> np.ndarray:
        if not self.has_labels(index):
            raise missing_labels([self.pairs[index]])
        return self.mask_format.read(self.pairs[index].labels)


def missing_labels(pairs: list[FilePair]) -> UserError:
    """What to raise where these samples have no labels."""
    first, more = pairs[0], f" ({len(pairs) - 1} more likewise)" if len(pairs) > 1 else ""
    if first.labels is None:
        return UserError(f"{first.image}: has no labels{more}; give a split that has them")
    return UserError(f"{first.labels}: missing{more}; every image needs its labels")


def check_labels(pairs: Iterable[FilePair], existing: set[Path]) -> None:
    """Raises UserError where the labels of a sample are not among the existing files."""
    missing = [pair for pair in pairs if pair.labels not in existing]
    if missing:
        raise missing_labels(missing)
