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
        endless: whether `read` takes any index from 0 on, best in order, each another image;
            the length then is what counts as an epoch.
    """

    endless = False

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
            UserError: the labels are missing or unreadable, or hold an id that is no class.
        """

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """(uint8 [H, W, 3] RGB, uint8 [H, W] ids).

        Raises:
            UserError: a file is unreadable, the sizes differ, or an id is no class.
        """
        image, labels = self.read_image(index), self.read_labels(index)
        self.check_sizes(index, image, labels)
        return image, labels

    def check_sizes(self, index: int, image: np.ndarray, labels: np.ndarray) -> None:
        """Raises UserError where labels and image differ in size."""
        if image.shape[:2] != labels.shape:
            turned = labels.shape == image.shape[1::-1]
            hint = " (the image's EXIF rotation was applied)" if turned else ""
            raise UserError(
                f"{self.labels_source(index)}: labels are {labels.shape[1]}x{labels.shape[0]} but "
                f"{self.sample_name(index)} is {image.shape[1]}x{image.shape[0]}{hint}; "
                "they must be equal"
            )

    def read_instances(self, index: int) -> np.ndarray:
        """int32 [H, W]: Cityscapes instance ids, label id · 1000 + n for things, else label ids.

        Raises:
            UserError: the file is missing or unreadable, or the data set has no instances.
        """
        raise UserError(f"{self.name}: this data set has no instance images")

    def has_labels(self, index: int) -> bool:
        """False where the labels of an image are missing."""
        return True

    @abstractmethod
    def labels_source(self, index: int) -> str:
        """Where the labels of an image come from, for messages."""
