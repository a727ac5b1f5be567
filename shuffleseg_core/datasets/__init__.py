"""Labelled images on disk, each data set in its own layout."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import UserError
from ..user_path import user_path
from .camvid import CamVid
from .cityscapes import Cityscapes
from .coco import Coco
from .dataset import Dataset
from .folder import Folder
from .layout import Layout, WrongLayout, advice
from .procedural_street import NAME as PROCEDURAL_STREET
from .procedural_street import open_procedural_street
from .selection import select
from .voc2012 import Voc2012

#: Data set name → its layout.
DATASETS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        CamVid(), Cityscapes("gtFine"), Cityscapes("gtCoarse"), Coco(), Voc2012(), Folder()
    )
}  # fmt: skip

__all__ = ["DATASETS", "PROCEDURAL_STREET", "Dataset", "open_dataset", "split_names"]


def open_dataset(
    name: str, root: str | os.PathLike, split: str, need_labels: bool = True
) -> Dataset:
    """Open a split of a known data set. Decodes no image.

    Args:
        name: a key of `DATASETS`, or `PROCEDURAL_STREET`, which needs no folder.
        root: its folder; for `folder` also the YAML file.
        split: a split's name, or an expression: `train+val` joins splits, `train:0006R0*` keeps
            the images whose name matches the pattern, `train:!0006R0*` leaves them out.
        need_labels: False opens images without labels too; reading those labels then fails.

    Raises:
        UserError: that cannot be done; the line says which file and what to do.
    """
    if name == PROCEDURAL_STREET:
        return select(split, open_procedural_street)
    layout, root = _layout(name), _existing(name, root)

    def open_split(part: str) -> Dataset:
        try:
            return layout.open(root, part, need_labels)
        except WrongLayout as error:
            raise UserError(f"{error}{advice(layout, DATASETS.values(), root)}") from error
        except OSError as error:  # a folder that may not be listed
            raise UserError(f"{error.filename}: cannot be read: {error.strerror}") from error

    return select(split, open_split)


def split_names(name: str, root: str | os.PathLike) -> tuple[str, ...]:
    """The splits with labels that a data set's folder holds.

    Raises:
        UserError: there is none.
    """
    if name == PROCEDURAL_STREET:
        return ("train", "val")
    layout, root = _layout(name), _existing(name, root)
    try:
        names = layout.splits(root)
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be read: {error.strerror}") from error
    if not names:
        error = layout.wrong(root, "no images with labels here")
        raise UserError(f"{error}{advice(layout, DATASETS.values(), root)}")
    return names


def _layout(name: str) -> Layout:
    if name not in DATASETS:
        known = ", ".join((*DATASETS, PROCEDURAL_STREET))
        raise UserError(f"data set {name!r} is not known; choose from {known}")
    return DATASETS[name]


def _existing(name: str, root: str | os.PathLike) -> Path:
    path = user_path(root)
    try:
        path.stat()
    except FileNotFoundError as error:
        raise UserError(
            f"{path}: no such folder; give that of the data set (--dataset {name})"
        ) from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    return path
