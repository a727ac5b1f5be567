"""PASCAL VOC 2012's segmentation task, as its archive unpacks.

ImageSets/Segmentation/SPLIT.txt names the images, JPEGImages/NAME.jpg and
SegmentationClass/NAME.png (in the colours of a palette) hold them; SegmentationClassAug/NAME.png
(one-byte ids), from the "trainaug" lists in circulation, is taken where the former is missing.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ..errors import UserError
from ..label_map import LabelMap
from .file_pairs import FilePair, FilePairs, check_labels
from .layout import Layout, files, read_list
from .mask_format import MaskFormat

_VOID_COLOR = (224, 224, 192)


class Voc2012(Layout):
    """See `Layout`."""

    name = "voc2012"
    expected = (
        "ROOT/VOCdevkit/VOC2012 (or ROOT itself) with JPEGImages, SegmentationClass and "
        "ImageSets/Segmentation/SPLIT.txt"
    )

    def splits(self, root: Path) -> tuple[str, ...]:
        home = _home(root)
        if home is None or not (home / "SegmentationClass").is_dir():
            return ()
        lists = files(home / "ImageSets" / "Segmentation")
        return tuple(path.stem for path in lists if path.suffix == ".txt" and path.stem != "test")

    def open(self, root: Path, split: str, need_labels: bool) -> FilePairs:
        home = _home(root)
        if home is None:
            raise self.wrong(root / "JPEGImages")
        listing = home / "ImageSets" / "Segmentation" / f"{split}.txt"
        if not listing.is_file():
            raise self.wrong(listing, "no such file")
        images, labels = home / "JPEGImages", home / "SegmentationClass"
        if need_labels and not labels.is_dir():
            raise self.wrong(labels)
        existing_images = set(files(images))
        existing_labels = set(files(labels)) | set(files(home / "SegmentationClassAug"))
        pairs = []
        for line in read_list(listing):
            name = PurePosixPath(line.split()[0]).stem  # some lists have /JPEGImages/NAME.jpg
            image, label_file = images / f"{name}.jpg", labels / f"{name}.png"
            if image not in existing_images:
                raise UserError(f"{image}: missing; {listing.name} lists it")
            augmented = home / "SegmentationClassAug" / f"{name}.png"
            if label_file not in existing_labels and augmented in existing_labels:
                label_file = augmented
            pairs.append(FilePair(name, image, label_file))
        if not pairs:
            raise UserError(f"{listing}: lists no images; unpack the archive again")
        if need_labels:
            check_labels(pairs, existing_labels)
        label_map = LabelMap.named("voc2012")
        of_ids = MaskFormat.of_ids(label_map)
        colors = {color: id_ for id_, color in enumerate(label_map.colors)}
        mask_format = MaskFormat(
            of_ids.id_of_value,
            of_ids.expected,
            {**colors, _VOID_COLOR: label_map.ignore_id},
            "give VOC's own masks, in its colours",
        )
        return FilePairs(f"voc2012 {split}", tuple(pairs), label_map, mask_format)


def _home(root: Path) -> Path | None:
    """The folder that holds JPEGImages."""
    for home in (root, root / "VOC2012", root / "VOCdevkit" / "VOC2012"):
        if (home / "JPEGImages").is_dir():
            return home
    return None
