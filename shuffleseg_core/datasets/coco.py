"""MS COCO 2017 for street scenes: the paper's nine classes and its filter (section 3.2).

ROOT/{train,val}2017/*.jpg and ROOT/annotations/instances_{train,val}2017.json. Masks are drawn as
the official implementation draws them (sercant/mobile-segmentation, dataset/build_coco_data.py):
the instances of the nine classes, crowd regions too, in the file's order, each over those before
it; all else is background. An image is kept where 1000 pixels or more are no background.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import UserError, needs_extra
from ..image_file import read_rgb
from ..label_map import LabelMap
from .dataset import Dataset
from .layout import Layout, files, subfolders

MIN_PIXELS = 1000

# COCO's category id → class id: person, car, truck, bus, train, motorcycle, bicycle, stop sign,
# parking meter.
_CLASS_OF_CATEGORY = {1: 1, 3: 2, 8: 3, 6: 4, 7: 5, 4: 6, 2: 7, 13: 8, 14: 9}


class _Instance(NamedTuple):
    """One thing, or a crowd of them.

    Attributes:
        class_id: 1 to 9.
        segmentation: list of float64 [2·N] polygons x, y, x, y, … in pixels, or a run-length dict.
        area: in pixels by the JSON; 0 where it does not say.
    """

    class_id: int
    segmentation: list | dict
    area: float


class _Image(NamedTuple):
    """One image and what is drawn on its mask, in order. Sizes are in pixels."""

    file_name: str
    width: int
    height: int
    instances: list[_Instance]


class Coco(Layout):
    """See `Layout`."""

    name = "coco"
    expected = "ROOT/{train,val}2017/*.jpg with ROOT/annotations/instances_{train,val}2017.json"

    def splits(self, root: Path) -> tuple[str, ...]:
        names = (folder.name for folder in subfolders(root))
        return tuple(
            name.removesuffix("2017")
            for name in names
            if name.endswith("2017") and _annotations(root, name.removesuffix("2017")).is_file()
        )

    def open(self, root: Path, split: str, need_labels: bool) -> CocoDataset:
        folder, annotations = root / f"{split}2017", _annotations(root, split)
        if not folder.is_dir():
            raise self.wrong(folder)
        if not annotations.is_file():
            raise self.wrong(annotations, "no such file")
        images = tuple(image for image in _read_json(annotations) if _covers_enough(image))
        if not images:
            raise UserError(
                f"{annotations}: no image has {MIN_PIXELS} pixels of the nine classes; "
                "give COCO's own file"
            )
        existing = {path.name for path in files(folder)}
        for image in images:
            if image.file_name not in existing:
                raise UserError(
                    f"{folder / image.file_name}: missing; {annotations.name} lists it, "
                    f"so unpack {split}2017.zip again"
                )
        return CocoDataset(f"coco {split}", folder, annotations, images)


class CocoDataset(Dataset):
    """A split of COCO. Masks are drawn from polygons when they are read.

    Args:
        name: see `Dataset`.
        folder: holds the images.
        annotations: the JSON file, for messages.
        images: the split's images.
    """

    def __init__(self, name: str, folder: Path, annotations: Path, images: tuple[_Image, ...]):
        self.name = name
        self.label_map = LabelMap.named("coco")
        self._folder = folder
        self._annotations = annotations
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def sample_name(self, index: int) -> str:
        return Path(self._images[index].file_name).stem

    def labels_source(self, index: int) -> str:
        return f"{self._annotations}, image {self._images[index].file_name}"

    def read_image(self, index: int) -> np.ndarray:
        return read_rgb(self._folder / self._images[index].file_name)

    def read_labels(self, index: int) -> np.ndarray:
        from pycocotools import mask

        image = self._images[index]
        # pycocotools keeps masks column by column, so they are drawn on a lying canvas.
        canvas = np.zeros((image.width, image.height), np.uint8)
        for instance in image.instances:
            try:
                drawn = mask.decode(_run_lengths(instance.segmentation, image))
                np.putmask(canvas, drawn.T, instance.class_id)
            except (TypeError, ValueError, KeyError) as error:
                raise UserError(
                    f"{self.labels_source(index)}: an instance of "
                    f"{self.label_map.names[instance.class_id]} cannot be drawn ({error}); "
                    "download the annotations again"
                ) from error
        return np.ascontiguousarray(canvas.T)


def _annotations(root: Path, split: str) -> Path:
    return root / "annotations" / f"instances_{split}2017.json"


def _read_json(path: Path) -> list[_Image]:
    """The images with instances of the nine classes, in the file's order."""
    try:
        from pycocotools import mask  # noqa: F401  # better missed here than at the first image
    except ImportError as error:
        raise needs_extra("COCO needs pycocotools", error) from error
    try:
        with open(path, encoding="utf-8") as file:
            # Slimmed as it is parsed: whole, the training split would take gigabytes.
            return _images(path, json.load(file, object_hook=_slim))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid JSON ({error}); download it again") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UserError(
            f"{path}: no instances file of COCO ({type(error).__name__}: {error}); "
            "give instances_train2017.json or instances_val2017.json"
        ) from error


def _slim(item: dict) -> dict | tuple[int, _Instance] | None:
    """An annotation as (image id, instance), or None where its class is none of the nine."""
    if "segmentation" not in item:
        return item
    class_id = _CLASS_OF_CATEGORY.get(item["category_id"])
    if class_id is None:
        return None
    segmentation = _compact(item["segmentation"])
    return item["image_id"], _Instance(class_id, segmentation, float(item.get("area", 0)))


def _images(path: Path, data: dict) -> list[_Image]:
    names = {category["id"]: category["name"] for category in data["categories"]}
    for category, class_id in _CLASS_OF_CATEGORY.items():
        name = LabelMap.named("coco").names[class_id]
        if names.get(category) != name:
            raise UserError(
                f"{path}: category {category} is {names.get(category)!r}, not {name!r}; give "
                "COCO's own file, or your data as the data set `folder`"
            )
    images = {
        image["id"]: _Image(str(image["file_name"]), int(image["width"]), int(image["height"]), [])
        for image in data["images"]
    }
    for image_id, instance in filter(None, data["annotations"]):
        if instance.segmentation:
            images[image_id].instances.append(instance)
    return [image for image in images.values() if image.instances]


def _compact(segmentation: list | dict) -> list | dict:
    """Polygons as arrays, which take a quarter of the lists' memory.

    A polygon of fewer than three points, which covers nothing, is left out.
    """
    if isinstance(segmentation, list):
        rings = [np.array(ring, np.float64) for ring in segmentation]
        return [ring for ring in rings if ring.size >= 6 and ring.size % 2 == 0]
    if isinstance(segmentation["counts"], list):
        return {**segmentation, "counts": np.array(segmentation["counts"], np.uint32)}
    return segmentation


def _run_lengths(segmentation: list | dict, image: _Image) -> dict:
    """pycocotools' run-length code of an instance."""
    from pycocotools import mask

    if isinstance(segmentation, list):
        return mask.merge(mask.frPyObjects(segmentation, image.height, image.width))
    counts, size = segmentation["counts"], tuple(segmentation["size"])
    if size != (image.height, image.width):
        raise ValueError(f"its mask is {size[1]}x{size[0]}, not {image.width}x{image.height}")
    if not isinstance(counts, np.ndarray):
        return segmentation
    if counts.sum() != image.height * image.width:
        raise ValueError("its run lengths do not cover the image")
    return mask.frPyObjects({**segmentation, "counts": counts.tolist()}, *size)


def _covers_enough(image: _Image) -> bool:
    """Whether `MIN_PIXELS` or more pixels of the mask are no background."""
    from pycocotools import mask

    # A polygon's area and its pixels differ by part of its outline: far from the limit the
    # file's word is enough, which spares drawing most of 118,000 masks.
    if max(instance.area for instance in image.instances) >= 2 * MIN_PIXELS:
        return True
    try:
        drawn = [_run_lengths(instance.segmentation, image) for instance in image.instances]
        return mask.area(mask.merge(drawn)) >= MIN_PIXELS
    except (TypeError, ValueError, KeyError):
        return True  # reading its mask will say what is wrong
