"""Batches of augmented images, each a function of the seed and the step alone."""

from __future__ import annotations

import keras
import numpy as np

from shuffleseg_core.datasets import Dataset
from shuffleseg_core.synthetic_dataset import SyntheticDataset

from .augmentation import Augmentation


class AugmentedBatches(keras.utils.PyDataset):
    """Steps `first_step` to `last_step` of a training, as (images, labels).

    Since nothing is remembered from batch to batch, a resumed training sees the very batches
    that an uninterrupted one would. Every image comes once an epoch, in random order, but for
    the `extra_share` of views that show an image of `extra` in its place.

    Items are float32 [B, h, w, 3] with values 0–255 and uint8 [B, h, w] ids.
    """

    def __init__(
        self,
        dataset: Dataset,
        augmentation: Augmentation,
        batch_size: int,
        seed: int,
        first_step: int,
        last_step: int,
        workers: int = 1,
        extra: SyntheticDataset | None = None,
        extra_share: float = 0.0,
    ):
        super().__init__(workers=workers, max_queue_size=8)
        self.dataset = dataset
        self.augmentation = augmentation
        self.batch_size = batch_size
        self.seed = seed
        self.first_step = first_step
        self.last_step = last_step
        self.extra = extra
        self.extra_share = extra_share

    def __len__(self) -> int:
        return self.last_step - self.first_step

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        step = self.first_step + index
        views = [
            self._view(sample)
            for sample in range(step * self.batch_size, (step + 1) * self.batch_size)
        ]
        return np.stack([image for image, _ in views]), np.stack([labels for _, labels in views])

    def _view(self, sample: int) -> tuple[np.ndarray, np.ndarray]:
        """`sample` counts all views since the training's start."""
        epoch, position = divmod(sample, len(self.dataset))
        rng = np.random.default_rng((self.seed, epoch, position))
        if self.extra_share and rng.random() < self.extra_share:
            image, labels = self.extra.read(int(rng.integers(len(self.extra))))
        else:
            order = np.random.default_rng((self.seed, epoch)).permutation(len(self.dataset))
            image, labels = self.dataset.read(int(order[position]))
        return self.augmentation(image, labels, self.dataset.label_map.ignore_id, rng)
