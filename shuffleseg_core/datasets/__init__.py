"""Labelled images on disk, each data set in its own layout."""

from __future__ import annotations

import os

from ..errors import UserError
from .camvid import camvid
from .dataset import Dataset

#: Data set name → function (root, split) → Dataset.
DATASETS = {"camvid": camvid}

__all__ = ["DATASETS", "Dataset", "open_dataset"]


def open_dataset(name: str, root: str | os.PathLike, split: str) -> Dataset:
    """Open a split of a known data set. Raises UserError where that cannot be done."""
    if name not in DATASETS:
        raise UserError(f"data set {name!r} is not known; choose from {', '.join(DATASETS)}")
    return DATASETS[name](root, split)
