"""The ids in prediction files: the benchmark's label ids for Cityscapes, class ids elsewhere."""

from __future__ import annotations

import cv2
import numpy as np

from ..cityscapes_labels import ID_OF_TRAIN_ID
from ..datasets import Dataset

#: What `Dataset.name` begins with where label ids differ from class ids.
_BENCHMARK_DATASETS = ("cityscapes_fine", "cityscapes_coarse")


def has_benchmark_ids(dataset: Dataset) -> bool:
    """Whether a data set is Cityscapes, also a part of it or several splits joined."""
    return dataset.name.split(" ")[0] in _BENCHMARK_DATASETS


def to_file_ids(dataset: Dataset, labels: np.ndarray) -> np.ndarray:
    """uint8 [H, W] class ids → ids as prediction files of the data set hold them."""
    return cv2.LUT(labels, ID_OF_TRAIN_ID) if has_benchmark_ids(dataset) else labels


def frame_name(dataset: Dataset, index: int) -> str:
    """What the names of a frame's files begin with: CITY_SEQUENCE_FRAME for Cityscapes."""
    name = dataset.sample_name(index)
    return "_".join(name.split("_")[:3]) if has_benchmark_ids(dataset) else name
