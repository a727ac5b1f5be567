"""The procedural street as a data set: no files, endless views to train on."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..errors import UserError
from ..label_map import LabelMap
from ..synthetic_dataset import FIRST_TRAINING_SEED, SyntheticDataset
from ..synthetic_drive.views import StreetViews
from .dataset import Dataset

NAME = "procedural_street"
SIZE = (480, 360)  # CamVid's
_EPOCH = 400  # views that count as an epoch
_AGAIN = 32  # images after which a view comes a second time, as drawing takes longer than a crop
_VAL_DRIVES, _VAL_FRAMES = 10, 10


def open_procedural_street(split: str) -> Dataset:
    """Open `train`: endless views (see `StreetViews`); or `val`: frames of the drives 0 to 9.

    Raises:
        UserError: no such split.
    """
    if split == "train":
        return _Views()
    if split == "val":
        return _Drives()
    raise UserError(f"{NAME}: no split {split!r}; there are train and val")


class _Street(Dataset):
    def __init__(self, split: str):
        self.name = f"{NAME} {split}"
        self.label_map = LabelMap.named("camvid")

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        image, labels = self._draw(index)
        return image.copy(), labels.copy()

    def read_image(self, index: int) -> np.ndarray:
        return self._draw(index)[0].copy()

    def read_labels(self, index: int) -> np.ndarray:
        return self._draw(index)[1].copy()

    def labels_source(self, index: int) -> str:
        return f"{self.name} {self.sample_name(index)}"


class _Views(_Street):
    endless = True

    def __init__(self):
        super().__init__("train")
        views = StreetViews(FIRST_TRAINING_SEED, *SIZE)
        self._view = lru_cache(maxsize=3 * _AGAIN)(views.view)

    def __len__(self) -> int:
        return _EPOCH

    def sample_name(self, index: int) -> str:
        return f"view_{self._number(index):06d}_{index // _AGAIN % 2}"

    @staticmethod
    def _number(index: int) -> int:
        return index // (2 * _AGAIN) * _AGAIN + index % _AGAIN

    def _draw(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self._view(self._number(index))


class _Drives(_Street):
    def __init__(self):
        super().__init__("val")
        self._frames = SyntheticDataset(SIZE, _VAL_DRIVES, _VAL_FRAMES, first_seed=0)

    def __len__(self) -> int:
        return len(self._frames)

    def sample_name(self, index: int) -> str:
        return f"drive_{index // _VAL_FRAMES}_{index % _VAL_FRAMES}"

    def _draw(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self._frames.read(index)
