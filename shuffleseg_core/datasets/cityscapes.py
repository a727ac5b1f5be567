"""Cityscapes, fine and coarse annotations, as its archives unpack.

ROOT/leftImg8bit/SPLIT/CITY/*_leftImg8bit.png beside ROOT/gtFine/SPLIT/CITY/*_gtFine_labelIds.png
(or gtCoarse). Label ids become trainIds by the benchmark's table.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..cityscapes_labels import LABELS, TRAIN_ID_OF_ID
from ..errors import UserError
from ..image_file import read_instance_ids
from ..label_map import LabelMap
from .file_pairs import FilePair, FilePairs, check_labels
from .layout import Layout, files, subfolders
from .mask_format import MaskFormat

_IMAGE, _LABELS = "_leftImg8bit.png", "_labelIds.png"
_LABEL_IDS = MaskFormat(
    {label.id: int(TRAIN_ID_OF_ID[label.id]) for label in LABELS if label.id >= 0},
    f"the benchmark's ids are 0 to {max(label.id for label in LABELS)}; "
    "give its own *_labelIds.png, not trainIds",
)


class CityscapesPairs(FilePairs):
    """A split of Cityscapes; label files of ids are read as trainIds."""

    def read_instances(self, index: int) -> np.ndarray:
        labels = self.pairs[index].labels
        path = labels.with_name(labels.name.replace("_labelIds", "_instanceIds"))
        if not path.is_file():
            raise UserError(
                f"{path}: missing; instance-weighted scores need the instanceIds files, "
                "which lie beside the labelIds in the benchmark's archive"
            )
        return read_instance_ids(path)


class Cityscapes(Layout):
    """See `Layout`.

    Args:
        annotation: `gtFine` or `gtCoarse`.
    """

    def __init__(self, annotation: str):
        self._annotation = annotation
        self.name = {"gtFine": "cityscapes_fine", "gtCoarse": "cityscapes_coarse"}[annotation]
        self.expected = (
            f"ROOT/leftImg8bit/SPLIT/CITY/*{_IMAGE} with "
            f"ROOT/{annotation}/SPLIT/CITY/*_{annotation}{_LABELS}"
        )

    def splits(self, root: Path) -> tuple[str, ...]:
        return tuple(
            folder.name
            for folder in subfolders(root / "leftImg8bit")
            if (root / self._annotation / folder.name).is_dir()
        )

    def open(self, root: Path, split: str, need_labels: bool) -> CityscapesPairs:
        images, labels = root / "leftImg8bit" / split, root / self._annotation / split
        for folder in (images, labels) if need_labels else (images,):
            if not folder.is_dir():
                raise self.wrong(folder)
        pairs = []
        for city in subfolders(images):
            for image in files(city, _IMAGE):
                name = image.name.removesuffix(_IMAGE)
                label_file = labels / city.name / f"{name}_{self._annotation}{_LABELS}"
                pairs.append(FilePair(name, image, label_file))
        if not pairs:
            raise self.wrong(images, "no images in its city folders")
        if need_labels:
            check_labels(
                pairs, {path for city in subfolders(labels) for path in files(city, _LABELS)}
            )
        return CityscapesPairs(
            f"{self.name} {split}", tuple(pairs), LabelMap.named("cityscapes"), _LABEL_IDS
        )
