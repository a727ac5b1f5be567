"""A user's own folder of images and masks, described by a small YAML file in it."""

from __future__ import annotations

import math
from pathlib import Path

from ..errors import UserError
from .file_pairs import FilePair, FilePairs, missing_labels
from .file_pattern import Key
from .folder_description import Patterns, read_description
from .layout import Layout

DESCRIPTION = "dataset.yaml"


class Folder(Layout):
    """See `Layout`. The root may also be the YAML file itself, whatever its name."""

    name = "folder"
    expected = f"ROOT/{DESCRIPTION}, which names classes and splits (docs/data_sets.md)"

    def splits(self, root: Path) -> tuple[str, ...]:
        path = _description_path(root)
        if not path.is_file():
            return ()
        description = read_description(path)
        names = [name for name, patterns in description.splits.items() if patterns.masks]
        return (*names, "val") if description.val_share else tuple(names)

    def open(self, root: Path, split: str, need_labels: bool) -> FilePairs:
        path = _description_path(root)
        if not path.is_file():
            raise self.wrong(path, "no such file")
        description = read_description(path)
        share = description.val_share
        shared = share is not None and split in ("train", "val")
        if split not in description.splits and not shared:
            raise self.wrong(path, f"has no split {split!r}")
        pairs = _pairs(path, description.splits["train" if shared else split], need_labels)
        if shared:
            pairs = [p for i, p in enumerate(pairs) if _goes_to_val(i, share) == (split == "val")]
            if not pairs:
                raise UserError(f"{path}: val_share {share} leaves no image for {split}")
        return FilePairs(
            f"folder {split}", tuple(pairs), description.label_map, description.mask_format
        )


def _description_path(root: Path) -> Path:
    return root / DESCRIPTION if root.is_dir() else root


def _goes_to_val(index: int, share: float) -> bool:
    """Spreads val evenly: every fifth image for 0.2."""
    return math.floor((index + 1) * share + 1e-9) > math.floor(index * share + 1e-9)


def _pairs(path: Path, patterns: Patterns, need_labels: bool) -> list[FilePair]:
    """Images and masks of a split, matched by what the patterns' wildcards stand for."""
    folder = path.parent
    masks = patterns.masks.find(folder) if patterns.masks else {}
    mask_files = set(masks.values())
    images: dict[Key, Path] = {}
    for pattern in patterns.images:
        for key, image in pattern.find(folder).items():
            # `*.png` also finds the masks `*_mask.png` beside the images.
            if image not in mask_files and images.setdefault(key, image) != image:
                raise UserError(f"{image}: has the name of {images[key]}; rename one of them")
    if not images:
        given = " or ".join(pattern.text for pattern in patterns.images)
        raise UserError(
            f"{path}: no image in {folder} matches {given}; correct the pattern "
            "(capital and small letters differ)"
        )
    pairs, unlabelled = [], []
    by_name: dict[str, Path] = {}
    for key, image in sorted(images.items()):
        name = "_".join(part.strip("/").replace("/", "_") for part in key if part)
        if by_name.setdefault(name, image) != image:
            raise UserError(f"{image}: is {name} in short, as {by_name[name]} is; rename one")
        expected = folder / patterns.masks.path(key) if patterns.masks else None
        pairs.append(FilePair(name, image, masks.get(key, expected)))
        if key not in masks:
            unlabelled.append(pairs[-1])
    if unlabelled and need_labels:
        raise missing_labels(unlabelled)
    return pairs
