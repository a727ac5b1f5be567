"""Batches of augmented images, each a function of the seed and the step alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from shuffleseg_core.datasets import Dataset
from shuffleseg_core.synthetic_dataset import SyntheticDataset

from .augmentation import Augmentation, padding_id


class AugmentedBatches:
    """The batches of a training, by step.

    Since nothing is remembered from batch to batch, a resumed training sees the very batches
    that an uninterrupted one would, and several processes can each make their share of one.
    Every image comes once an epoch, in random order (an endless data set's come as they are
    numbered, and never again), but for the `extra_share` of views that
    show an image of `extra` in its place.

    Args:
        dataset: what to draw from.
        augmentation: how.
        batch_size: images of a step, over all processes.
        seed: of order and augmentation.
        process_index, process_count: each process makes batch_size / process_count of them.
        extra, extra_share: see above.
        paste_share, paste_ids: so many of the views get the pixels of these classes from another
            view laid over them, where they are there (a supervised ClassMix, arXiv:2007.07936).
    """

    def __init__(
        self,
        dataset: Dataset,
        augmentation: Augmentation,
        batch_size: int,
        seed: int,
        process_index: int = 0,
        process_count: int = 1,
        extra: SyntheticDataset | None = None,
        extra_share: float = 0.0,
        paste_share: float = 0.0,
        paste_ids: Sequence[int] = (),
    ):
        self.dataset = dataset
        self.augmentation = augmentation
        self.batch_size = batch_size
        self.seed = seed
        self.share = batch_size // process_count
        self.first = process_index * self.share
        self._padding_id = padding_id(dataset.label_map)
        self.extra = extra
        self.extra_share = extra_share
        self.paste_share = paste_share
        self._is_pasted = np.isin(np.arange(256), list(paste_ids))
        # Two, since one batch may touch two epochs and several are made at once.
        self._order = lru_cache(maxsize=2)(self._draw_order)

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """This process's share of step `step` (0, 1, …).

        Returns:
            float32 [B, h, w, 3] with values 0–255 and uint8 [B, h, w] ids.
        """
        return self._views(step * self.batch_size + self.first, self.share)

    def whole(self, step: int) -> np.ndarray:
        """All processes' images of step `step`, float32 [batch_size, h, w, 3]."""
        return self._views(step * self.batch_size, self.batch_size)[0]

    def _views(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        width, height = self.augmentation.crop
        images = np.empty((count, height, width, 3), np.float32)
        labels = np.empty((count, height, width), np.uint8)
        for row in range(count):
            self._draw_view(first + row, (images[row], labels[row]))
        return images, labels

    def _draw_view(self, sample: int, out: tuple[np.ndarray, np.ndarray]) -> None:
        """Fill `out` with a view; `sample` counts all views since the training's start."""
        epoch, position = divmod(sample, len(self.dataset))
        rng = np.random.default_rng((self.seed, epoch, position))
        if self.extra_share and rng.random() < self.extra_share:
            image, labels = self.extra.read(int(rng.integers(len(self.extra))))
        else:
            index = sample if self.dataset.endless else int(self._order(epoch)[position])
            image, labels = self.dataset.read(index)
        self.augmentation(image, labels, self._padding_id, rng, out)
        if self.paste_share and rng.random() < self.paste_share:
            self._paste(rng, *out)

    def _paste(self, rng: np.random.Generator, image: np.ndarray, labels: np.ndarray) -> None:
        other = self.dataset.read(int(rng.integers(len(self.dataset))))
        other_image, other_labels = self.augmentation(*other, self._padding_id, rng)
        mask = self._is_pasted[other_labels]
        image[mask] = other_image[mask]
        labels[mask] = other_labels[mask]

    def _draw_order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.dataset))
