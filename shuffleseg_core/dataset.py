"""Labelled images on disk, in the data set's own layout."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import UserError
from .image_file import is_image_file, read_labels, read_rgb
from .label_map import LabelMap
from .user_path import user_path


@dataclass(frozen=True)
class Dataset:
    """A split: pairs of files, and what the ids mean.

    Attributes:
        name: data set and split, for messages.
        pairs: (image file, label file), sorted by image name.
        label_map: names and colours of the ids.
    """

    name: str
    pairs: tuple[tuple[Path, Path], ...]
    label_map: LabelMap

    def __len__(self) -> int:
        return len(self.pairs)

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """(uint8 [H, W, 3] RGB, uint8 [H, W] ids).

        Raises:
            UserError: a file is unreadable, the sizes differ, or an id is no class.
        """
        image_path, label_path = self.pairs[index]
        image, labels = read_rgb(image_path), read_labels(label_path)
        if image.shape[:2] != labels.shape:
            raise UserError(
                f"{label_path}: labels are {labels.shape[1]}x{labels.shape[0]} but "
                f"{image_path.name} is {image.shape[1]}x{image.shape[0]}; they must be equal"
            )
        wrong = np.unique(labels[labels >= len(self.label_map)])
        wrong = wrong[wrong != self.label_map.ignore_id]
        if wrong.size:
            raise UserError(
                f"{label_path}: id {wrong[0]} is no class; ids are 0 to "
                f"{len(self.label_map) - 1}, and {self.label_map.ignore_id} for unlabelled"
            )
        return image, labels


def camvid(root: str | os.PathLike, split: str) -> Dataset:
    """CamVid's 11-class version: ROOT/SPLIT/images/*.jpg beside ROOT/SPLIT/labels/*.png.

    Raises:
        UserError: a folder is missing or empty, or an image has no labels.
    """
    images = user_path(root) / split / "images"
    labels = user_path(root) / split / "labels"
    for folder in (images, labels):
        if not folder.is_dir():
            raise UserError(
                f"{folder}: no such folder; CamVid is expected as ROOT/{split}/images/*.jpg and "
                f"ROOT/{split}/labels/*.png"
            )
    files = sorted(path for path in images.iterdir() if is_image_file(path))
    if not files:
        raise UserError(f"{images}: no images in this folder")
    pairs = tuple((path, labels / f"{path.stem}.png") for path in files)
    for _, label_path in pairs:
        if not label_path.is_file():
            raise UserError(f"{label_path}: missing; every image of {images} needs its labels")
    return Dataset(f"camvid {split}", pairs, LabelMap.named("camvid"))


#: Data set name → function (root, split) → Dataset.
DATASETS = {"camvid": camvid}


def open_dataset(name: str, root: str | os.PathLike, split: str) -> Dataset:
    """Open a split of a known data set. Raises UserError where that cannot be done."""
    if name not in DATASETS:
        raise UserError(f"data set {name!r} is not known; choose from {', '.join(DATASETS)}")
    return DATASETS[name](root, split)
