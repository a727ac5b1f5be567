"""CamVid's 11-class version: ROOT/SPLIT/images/*.jpg beside ROOT/SPLIT/labels/*.png."""

from __future__ import annotations

import os

from ..errors import UserError
from ..image_file import is_image_file
from ..label_map import LabelMap
from ..user_path import user_path
from .file_pairs import FilePairs


def camvid(root: str | os.PathLike, split: str) -> FilePairs:
    """Open a split.

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
    return FilePairs(f"camvid {split}", pairs, LabelMap.named("camvid"))
