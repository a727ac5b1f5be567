"""The ground truth that a prediction is held against."""

from __future__ import annotations

import numpy as np

from ..datasets import Dataset
from ..errors import UserError


def read_truth(dataset: Dataset, index: int, prediction: np.ndarray) -> np.ndarray:
    """The labels of a frame, of the prediction's size.

    Returns:
        uint8 [H, W], see `Dataset.read_labels`.

    Raises:
        UserError: the labels are unreadable or have another size.
    """
    truth = dataset.read_labels(index)
    if truth.shape != prediction.shape:
        raise UserError(
            f"{dataset.labels_source(index)}: labels are {truth.shape[1]}x{truth.shape[0]} but the "
            f"prediction for {dataset.sample_name(index)} is "
            f"{prediction.shape[1]}x{prediction.shape[0]}; they must be equal"
        )
    return truth
