"""Class IoU, for data sets that tell no instances apart."""

from __future__ import annotations

import numpy as np

from ..datasets import Dataset
from ..label_map import LabelMap
from ..metrics import ConfusionMatrix
from .truth import read_truth


class ClassScores:
    """Scores over frames in class ids; see `Scores`.

    Args:
        label_map: the classes.
    """

    def __init__(self, label_map: LabelMap):
        self.names = label_map.names
        self._matrix = ConfusionMatrix(len(label_map), label_map.ignore_id)

    def add(self, dataset: Dataset, index: int, prediction: np.ndarray) -> None:
        self._matrix.update(read_truth(dataset, index, prediction), prediction)

    @property
    def counts(self) -> np.ndarray:
        """int64 [C, C]: truth × prediction."""
        return self._matrix.counts

    def report(self) -> dict:
        return {
            "miou": self._matrix.miou(),
            "iou": dict(zip(self.names, map(float, self._matrix.iou()))),
            "pixel_accuracy": self._matrix.pixel_accuracy(),
        }
