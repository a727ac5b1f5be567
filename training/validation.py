"""Scores of a network in training, in inference mode, on whole images."""

from __future__ import annotations

import numpy as np
from tqdm import tqdm

from shuffleseg_core.datasets import Dataset
from shuffleseg_core.mask_comparison import ComparedFrame
from shuffleseg_core.metrics import ConfusionMatrix
from shuffleseg_core.models.trained_network import TrainedNetwork

from .augmentation import PAD_VALUE
from .engines import Engine


class Validation:
    """Labels a split's images whole and at their own size; the processes share them.

    Images smaller than the crop are padded to it, so that sets of many sizes (COCO) need few
    compiled graphs; where the network aligns corners, others to the next k · output stride + 1, as
    in the official evaluation.

    Args:
        dataset: the split.
        network: what is trained.
        crop: (width, height) of the training's crops.
        engine: labels.
        samples: so many images, evenly spread, are also drawn.
    """

    def __init__(
        self,
        dataset: Dataset,
        network: TrainedNetwork,
        crop: tuple[int, int],
        engine: Engine,
        samples: int = 4,
    ):
        self.dataset = dataset
        self._crop = crop
        model = network.model
        self._stride = model.get("output_stride", 16) if model.get("align_corners") else None
        self._engine = engine
        self._samples = set(
            np.linspace(0, len(dataset) - 1, min(samples, len(dataset))).astype(int)
        )
        with engine.local_scope():
            self._model = network.build()
        self._label = engine.labeller(self._model)

    def run(self, weights: list[np.ndarray]) -> tuple[ConfusionMatrix, list[ComparedFrame]]:
        """Score weights (as `get_weights` gives them).

        Returns:
            The confusion matrix over all images, and this process's samples.

        Raises:
            UserError: an image or its labels cannot be read.
        """
        self._model.set_weights(weights)
        label_map = self.dataset.label_map
        matrix = ConfusionMatrix(len(label_map), label_map.ignore_id)
        samples = []
        mine = range(self._engine.process_index, len(self.dataset), self._engine.process_count)
        for index in tqdm(mine, desc="validation", unit="image", leave=False, disable=None):
            image, truth = self.dataset.read(index)
            labels = self._labels(image)
            matrix.update(truth, labels)
            if index in self._samples:
                name = self.dataset.sample_name(index)
                samples.append(ComparedFrame(name, image, truth, [labels.astype(np.uint8)]))
        matrix.counts = self._engine.sum(matrix.counts)
        return matrix, samples

    def _labels(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        rows, columns = max(height, self._crop[1]), max(width, self._crop[0])
        if self._stride:
            rows, columns = (
                -(-(n - 1) // self._stride) * self._stride + 1 for n in (rows, columns)
            )
        padded = np.full((1, rows, columns, 3), PAD_VALUE, np.float32)
        padded[0, :height, :width] = image
        return self._label(padded)[0, :height, :width]
