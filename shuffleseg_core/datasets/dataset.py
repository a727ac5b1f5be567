"""What every labelled data set offers, whatever its layout on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ..errors import UserError
from ..label_map import LabelMap


class Dataset(ABC):
    """A split of labelled images, read one by one. Safe to read from several threads.

    Attributes:
        name: data set and split, for messages.
        label_map: names and colours of the ids that `read` gives.
    """

    name: str
    label_map: LabelMap

    @abstractmethod
    def __len__(self) -> int:
        """Number of images."""

    @abstractmethod
    def sample_name(self, index: int) -> str:
        """Names one image within the split; fit for a file name."""

    @abstractmethod
    def read_image(self, index: int) -> np.ndarray:
        """uint8 [H, W, 3], RGB. Raises UserError where the file is unreadable."""

    @abstractmethod
    def read_labels(self, index: int) -> np.ndarray:
        """uint8 [H, W]: each an id of `label_map` or its `ignore_id`.

        Raises:
            UserError: the labels are unreadable, or hold an id that is no class.
        """

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """(uint8 [H, W, 3] RGB, uint8 [H, W] ids).

        Raises:
            UserError: a file is unreadable, the sizes differ, or an id is no class.
        """
        image, labels = self.read_image(index), self.read_labels(index)
        if image.shape[:2] != labels.shape:
            raise UserError(
                f"{self.labels_source(index)}: labels are {labels.shape[1]}x{labels.shape[0]} but "
                f"{self.sample_name(index)} is {image.shape[1]}x{image.shape[0]}; "
                "they must be equal"
            )
        return image, labels

    @abstractmethod
    def labels_source(self, index: int) -> str:
        """Where the labels of an image come from, for messages."""
