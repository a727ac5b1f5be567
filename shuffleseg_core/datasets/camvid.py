"""CamVid's 11-class version at 480×360, in two layouts.

The SegNet authors' own: ROOT/SPLIT/*.png beside ROOT/SPLITannot/*.png, listed by ROOT/SPLIT.txt;
and ROOT/SPLIT/images/*.jpg beside ROOT/SPLIT/labels/*.png.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ..errors import UserError
from ..image_file import is_image_file
from ..label_map import LabelMap
from .file_pairs import FilePair, FilePairs, check_labels
from .layout import Layout, files, read_list, subfolders
from .mask_format import MaskFormat


class CamVid(Layout):
    """See `Layout`."""

    name = "camvid"
    expected = (
        "ROOT/SPLIT/images/*.jpg with ROOT/SPLIT/labels/*.png, "
        "or as ROOT/SPLIT/*.png with ROOT/SPLITannot/*.png"
    )

    def splits(self, root: Path) -> tuple[str, ...]:
        names = {folder.name for folder in subfolders(root)}
        return tuple(
            name
            for name in sorted(names)
            if f"{name}annot" in names
            or ((root / name / "images").is_dir() and (root / name / "labels").is_dir())
        )

    def open(self, root: Path, split: str, need_labels: bool) -> FilePairs:
        images = root / split
        if (root / f"{split}annot").is_dir():
            labels = root / f"{split}annot"
        else:
            labels = images / "labels"
            images = images / "images"
        for folder in (images, labels) if need_labels else (images,):
            if not folder.is_dir():
                raise self.wrong(folder)
        found = [path for path in files(images) if is_image_file(path)]
        listing = root / f"{split}.txt"
        if labels.parent == root and listing.is_file():
            found = _listed(listing, found)
        if not found:
            raise UserError(f"{images}: no images in this folder")
        pairs = tuple(FilePair(path.stem, path, labels / f"{path.stem}.png") for path in found)
        if need_labels:
            check_labels(pairs, set(files(labels)))
        label_map = LabelMap.named("camvid")
        return FilePairs(f"camvid {split}", pairs, label_map, MaskFormat.of_ids(label_map))


def _listed(listing: Path, found: list[Path]) -> list[Path]:
    """The images that a list names, in its order.

    Its lines are `/SegNet/CamVid/train/x.png /SegNet/CamVid/trainannot/x.png`: paths on the
    authors' machine, of which the last parts count.
    """
    by_name = {path.name: path for path in found}
    images = []
    for line in read_list(listing):
        name = PurePosixPath(line.split()[0]).name
        if name not in by_name:
            raise UserError(f"{listing}: lists {name}, which is missing beside it")
        images.append(by_name[name])
    return images
