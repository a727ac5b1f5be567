"""Small data sets in their true layouts, made of synthetic frames.

Every maker writes below `root`, which it makes, and returns it. Sizes are (width, height). The
frames of the splits differ; their content can be learned.
"""

from __future__ import annotations

import json
import struct
import zlib
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from shuffleseg_core.cityscapes_labels import LABELS
from shuffleseg_core.label_map import LabelMap
from shuffleseg_core.synthetic_drive import SyntheticDrive

# Where each split's frames begin on the drive of 300.
_FIRST_FRAME = {"train": 0, "val": 100, "test": 150, "train_extra": 200}

#: Cityscapes label id of each of CamVid's 11 ids, then of unlabelled: bicyclist becomes rider.
CITYSCAPES_ID_OF_CAMVID = np.array([23, 11, 17, 7, 8, 21, 20, 13, 26, 24, 25, 4], np.uint8)

#: COCO's category id → name, the paper's nine and one that is background to it.
COCO_CATEGORIES = {
    1: "person", 2: "bicycle", 3: "car", 4: "motorcycle", 6: "bus", 7: "train", 8: "truck",
    13: "stop sign", 14: "parking meter", 18: "dog",
}  # fmt: skip


@lru_cache
def _drive(size: tuple[int, int]) -> SyntheticDrive:
    return SyntheticDrive(seed=7, width=size[0], height=size[1])


def tiny_frame(split: str, index: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(uint8 [H, W, 3] RGB, uint8 [H, W] CamVid ids 0 to 10) of a split's frame."""
    return _drive(size).frame((_FIRST_FRAME[split] + 3 * index) % 300)


def make_cityscapes_fine(
    root: Path, size=(128, 64), train=4, val=2, test=0, instances=True
) -> Path:
    """leftImg8bit and gtFine with labelIds, instanceIds and color; two cities a split.

    The images of `test` come without gtFine.
    """
    for split, count in (("train", train), ("val", val), ("test", test)):
        _cityscapes_split(root, "gtFine", split, count, size, split != "test", instances)
    return root


def make_cityscapes_coarse(root: Path, size=(128, 64), train=0, train_extra=4, val=2) -> Path:
    """leftImg8bit and gtCoarse, whose masks leave a border around every region unlabelled.

    May share `root` with the fine set, as the archives do.
    """
    for split, count in (("train", train), ("train_extra", train_extra), ("val", val)):
        _cityscapes_split(root, "gtCoarse", split, count, size, True, True)
    return root


def _cityscapes_split(root, annotation, split, count, size, labelled, instances):
    cities = {
        "train": ("aachen", "bochum"), "val": ("frankfurt", "lindau"), "test": ("berlin", "bonn"),
        "train_extra": ("augsburg", "bayreuth"),
    }[split]  # fmt: skip
    for index in range(count):
        rgb, camvid_ids = tiny_frame(split, index, size)
        ids = CITYSCAPES_ID_OF_CAMVID[camvid_ids]
        if annotation == "gtCoarse":
            edges = cv2.morphologyEx(ids, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
            ids[edges] = 0
        ids[-4:] = 1  # the ego vehicle, which does not count
        city = cities[index % 2]
        stem = f"{city}_{index:06d}_000019"
        _write(root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png", rgb)
        if labelled:
            folder = root / annotation / split / city
            color = np.array([label.color for label in LABELS[:-1]], np.uint8)[ids]
            _write(folder / f"{stem}_{annotation}_labelIds.png", ids)
            _write(folder / f"{stem}_{annotation}_color.png", color)
            if instances:
                _write(folder / f"{stem}_{annotation}_instanceIds.png", instance_ids(ids))


def instance_ids(label_ids: np.ndarray) -> np.ndarray:
    """uint16 [H, W]: a thing's label id · 1000 + n for each connected region, else the label id."""
    instances = label_ids.astype(np.uint16)
    for label in LABELS:
        if label.has_instances and label.id >= 0:
            count, regions = cv2.connectedComponents((label_ids == label.id).astype(np.uint8))
            for n in range(1, count):
                instances[regions == n] = label.id * 1000 + n - 1
    return instances


def make_coco(root: Path, size=(96, 64), train=4, val=2) -> Path:
    """{train,val}2017 and annotations/instances_{train,val}2017.json, with the nine categories.

    Image i of a split holds a person and a car as polygons and one more class in turn (a crowd in
    run lengths where it is the person's turn), more than 1000 pixels. A further image of each
    split holds too little of them, another one only a dog.
    """
    width, height = size
    nine = [category for category in COCO_CATEGORIES if category != 18]
    for split, count in (("train", train), ("val", val)):
        images, annotations = [], []

        def annotate(category, segmentation, area, crowd=0):
            annotations.append({
                "id": 1 + len(annotations), "image_id": images[-1]["id"], "iscrowd": crowd,
                "category_id": category, "segmentation": segmentation, "area": float(area),
                "bbox": [0.0, 0.0, 1.0, 1.0],
            })  # fmt: skip

        for index in range(count + 2):
            rgb, _ = tiny_frame(split, index, size)
            rgb = rgb.copy()
            name = f"{index + 1:012d}.jpg"
            images.append({"id": 1000 + index, "file_name": name, "width": width, "height": height})
            if index >= count:
                half = 48 if index == count else 4
                category = 18 if index == count else 1
                annotate(category, [_rectangle(2, 2, half, half)], (half - 2) ** 2)
            else:
                boxes = {
                    1: (width // 8, height // 4, width * 3 // 8, height * 7 // 8),
                    3: (width // 4, height // 2, width * 3 // 4, height - 2),
                }
                for category, box in boxes.items():
                    _paint(rgb, box, category)
                    annotate(category, [_rectangle(*box)], (box[2] - box[0]) * (box[3] - box[1]))
                category = nine[index % len(nine)]
                box = (width * 5 // 8, 2, width - 4, height // 2)
                _paint(rgb, box, category)
                if category == 1:
                    mask = np.zeros((height, width), np.uint8)
                    mask[box[1] : box[3], box[0] : box[2]] = 1
                    annotate(category, run_lengths(mask), mask.sum(), crowd=1)
                else:
                    annotate(category, [_rectangle(*box)], (box[2] - box[0]) * (box[3] - box[1]))
            _write(root / f"{split}2017" / name, rgb)
        write_json(root / "annotations" / f"instances_{split}2017.json", {
            "info": {}, "licenses": [], "images": images, "annotations": annotations,
            "categories": [
                {"supercategory": "thing", "id": id_, "name": name}
                for id_, name in COCO_CATEGORIES.items()
            ],
        })  # fmt: skip
    return root


def run_lengths(mask: np.ndarray) -> dict:
    """COCO's uncompressed run lengths of a uint8 [H, W] mask, column by column."""
    values = mask.T.ravel()
    changes = np.flatnonzero(np.diff(values)) + 1
    counts = np.diff([0, *changes, len(values)]).tolist()
    if values[0]:
        counts = [0, *counts]
    return {"counts": counts, "size": list(mask.shape)}


def write_json(path: Path, data) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), "utf-8")


def _rectangle(left, top, right, bottom) -> list[float]:
    """A polygon that covers these pixels."""
    return [float(v) for v in (left, top, right, top, right, bottom, left, bottom)]


def _paint(rgb, box, category):
    """Each class in a colour of its own, so that it can be learned."""
    left, top, right, bottom = box
    rgb[top:bottom, left:right] = np.array(LabelMap.named("voc2012").colors[category])


def make_voc2012(root: Path, size=(96, 64), train=4, val=2) -> Path:
    """ROOT/VOCdevkit/VOC2012 with JPEGImages, SegmentationClass (palette PNGs) and the lists.

    A mask holds background, car, person and the void border around them.
    """
    home = root / "VOCdevkit" / "VOC2012"
    palette = np.array(LabelMap.anonymous(255).colors, np.uint8)  # VOC's from index 1
    palette = np.vstack([np.zeros((1, 3), np.uint8), palette])
    palette[255] = (224, 224, 192)
    listed = {}
    for split, count in (("train", train), ("val", val)):
        listed[split] = []
        for index in range(count):
            rgb, _ = tiny_frame(split, index, size)
            ids = voc_ids(index, size)
            rgb = rgb.copy()
            for id_ in (7, 15):
                rgb[ids == id_] = palette[id_]
            name = f"{2007 + index % 5}_{_FIRST_FRAME[split] + index:06d}"
            _write(home / "JPEGImages" / f"{name}.jpg", rgb)
            write_palette_png(home / "SegmentationClass" / f"{name}.png", ids, palette)
            listed[split].append(name)
    listed["trainval"] = sorted(listed["train"] + listed["val"])
    for split, names in listed.items():
        path = home / "ImageSets" / "Segmentation" / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{name}\n" for name in names))
    return root


def voc_ids(index: int, size) -> np.ndarray:
    """uint8 [H, W]: the mask that `make_voc2012` writes for image `index` of a split."""
    width, height = size
    ids = np.zeros((height, width), np.uint8)
    for id_, left, right in ((7, width // 8, width // 2), (15, width * 5 // 8, width * 7 // 8)):
        top = height // 4 + 2 * (index % 4)
        ids[top - 2 : height - 2, left - 2 : right + 2] = 255
        ids[top : height - 4, left:right] = id_
    return ids


def write_palette_png(path: Path, indices: np.ndarray, palette: np.ndarray, depth: int = 8) -> None:
    """A PNG of colour type 3, as VOC's masks are.

    Args:
        path: its folder is made.
        indices: uint8 [H, W].
        palette: uint8 [P, 3] RGB.
        depth: bits an index: 1, 2, 4 or 8.
    """
    height, width = indices.shape
    bits = np.unpackbits(indices[..., None], axis=2)[..., 8 - depth :].reshape(height, -1)
    rows = np.packbits(bits, axis=1)

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 3, 0, 0, 0))
        + chunk(b"PLTE", palette.tobytes())
        + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)))
        + chunk(b"IEND", b"")
    )


def make_camvid_segnet(root: Path, size=(96, 64), train=6, val=2, test=2) -> Path:
    """ROOT/SPLIT/*.png, ROOT/SPLITannot/*.png, and the lists with the authors' paths."""
    for split, count in (("train", train), ("val", val), ("test", test)):
        lines = []
        for index in range(count):
            rgb, ids = tiny_frame(split, index, size)
            name = f"0001TP_{_FIRST_FRAME[split] + index:06d}.png"
            _write(root / split / name, rgb)
            _write(root / f"{split}annot" / name, ids)
            lines.append(f"/SegNet/CamVid/{split}/{name} /SegNet/CamVid/{split}annot/{name}\n")
        if count:
            (root / f"{split}.txt").write_text("".join(lines))
    return root


#: Colours of `make_folder`'s three classes.
FOLDER_COLORS = ((128, 64, 128), (0, 128, 0), (220, 20, 60))


def make_folder(root: Path, size=(96, 64), train=6, val=2, masks="ids") -> Path:
    """A user's own data: ROOT/dataset.yaml, three classes ground, thing and sky.

    Args:
        masks: "ids", "rgb" or "palette": how the mask files hold the classes; in colour, black
            is ignored.
    """
    for split, count in (("train", train), ("val", val)):
        for index in range(count):
            rgb, _ = tiny_frame(split, index, size)
            _write(root / split / "images" / f"{index:04d}.jpg", rgb)
            ids = folder_ids(split, index, size)
            path = root / split / "masks" / f"{index:04d}.png"
            palette = np.array([*FOLDER_COLORS, (0, 0, 0)], np.uint8)
            if masks == "ids":
                _write(path, ids)
            elif masks == "rgb":
                _write(path, palette[np.minimum(ids, 3)])
            else:
                write_palette_png(path, np.minimum(ids, 3), palette)
    lines = [
        f"  - {{name: {name}, color: {list(color)}}}\n"
        for name, color in zip(("ground", "thing", "sky"), FOLDER_COLORS)
    ]
    (root / "dataset.yaml").write_text(
        "classes:\n" + "".join(lines) + ("" if masks == "ids" else "ignore_color: [0, 0, 0]\n")
        + "splits:\n"
        "  train: {images: train/images/*.jpg, masks: train/masks/*.png}\n"
        "  val: {images: val/images/*.jpg, masks: val/masks/*.png}\n"
    )  # fmt: skip
    return root


def folder_ids(split: str, index: int, size) -> np.ndarray:
    """uint8 [H, W]: 0 ground, 1 thing, 2 sky, 255 where a sign stands."""
    _, ids = tiny_frame(split, index, size)
    of_camvid = np.array([2, 1, 1, 0, 0, 1, 255, 1, 1, 1, 1], np.uint8)
    return of_camvid[ids]


def _write(path: Path, image: np.ndarray) -> None:
    """RGB, uint8 ids or uint16 ids; JPEGs nearly without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    options = [cv2.IMWRITE_JPEG_QUALITY, 98] if path.suffix == ".jpg" else []
    assert cv2.imwrite(str(path), image, options)
