"""Class ids, their names and their colours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .cityscapes_labels import LABELS
from .errors import UserError

# Colours and order: CamVid's 11-class version (SegNet authors' split).
_CAMVID = (
    ("sky", (128, 128, 128)),
    ("building", (128, 0, 0)),
    ("pole", (192, 192, 128)),
    ("road", (128, 64, 128)),
    ("pavement", (60, 40, 222)),
    ("tree", (128, 128, 0)),
    ("sign", (192, 128, 128)),
    ("fence", (64, 64, 128)),
    ("car", (64, 0, 128)),
    ("pedestrian", (64, 64, 0)),
    ("bicyclist", (0, 128, 192)),
)

# In the order of the benchmark's trainIds.
_CITYSCAPES = tuple((label.name, label.color) for label in LABELS if 0 <= label.train_id < 255)

# The paper's nine classes, in its order (section 3.2); colours of their Cityscapes counterparts.
_COCO = (
    ("background", (0, 0, 0)),
    ("person", (220, 20, 60)),
    ("car", (0, 0, 142)),
    ("truck", (0, 0, 70)),
    ("bus", (0, 60, 100)),
    ("train", (0, 80, 100)),
    ("motorcycle", (0, 0, 230)),
    ("bicycle", (119, 11, 32)),
    ("stop sign", (220, 220, 0)),
    ("parking meter", (153, 153, 153)),
)

_VOC2012 = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse "
    "motorbike person pottedplant sheep sofa train tvmonitor"
).split()


def spread_color(index: int) -> tuple[int, int, int]:
    """PASCAL VOC's colour map: bits of the index spread over the channels' high bits.

    Index 0 is black, neighbours are far apart.
    """
    channels = [0, 0, 0]
    for shift in range(7, -1, -1):
        for channel in range(3):
            channels[channel] |= ((index >> channel) & 1) << shift
        index >>= 3
    return tuple(channels)


_KNOWN = {
    "camvid": (_CAMVID, 11),
    "cityscapes": (_CITYSCAPES, 255),
    "coco": (_COCO, 255),
    "voc2012": (tuple((name, spread_color(id_)) for id_, name in enumerate(_VOC2012)), 255),
}


@dataclass(frozen=True)
class LabelMap:
    """What the ids in a label image mean.

    Attributes:
        names: class name of id 0, 1, …
        colors: (R, G, B), each 0–255, of id 0, 1, …
        ignore_id: id that ground truth uses for "no class", which is left out
            of training and scores; None where there is none.
    """

    names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    ignore_id: int | None = None

    def __post_init__(self):
        if not 1 <= len(self.names) <= 256:
            raise UserError(f"label map: {len(self.names)} classes; 1 to 256 fit a uint8 id")
        if len(self.names) != len(self.colors):
            raise UserError(
                f"label map: {len(self.names)} names but {len(self.colors)} colours; "
                "give one colour a class"
            )
        for name, color in zip(self.names, self.colors):
            if len(color) != 3 or not all(0 <= channel <= 255 for channel in color):
                raise UserError(
                    f"label map: colour of {name!r} is {color}; give R, G, B, each 0 to 255"
                )

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def known(cls) -> tuple[str, ...]:
        """Names that `named` accepts."""
        return tuple(_KNOWN)

    @classmethod
    def named(cls, name: str) -> LabelMap:
        """The label map of a known data set: `camvid`, `cityscapes`, `coco` or `voc2012`."""
        if name not in _KNOWN:
            raise UserError(f"label map {name!r} is not known; choose from {', '.join(_KNOWN)}")
        classes, ignore_id = _KNOWN[name]
        return cls(tuple(n for n, _ in classes), tuple(c for _, c in classes), ignore_id)

    @classmethod
    def anonymous(cls, num_classes: int) -> LabelMap:
        """Names class_0, class_1, … with well-spread colours, for files without a description."""
        return cls(
            tuple(f"class_{i}" for i in range(num_classes)),
            # From 1, since black stands for "no class".
            tuple(spread_color(i + 1) for i in range(num_classes)),
        )

    @cached_property
    def palette(self) -> np.ndarray:
        """uint8 [256, 3]: RGB of every possible id; ids that are no class are black."""
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(self)] = self.colors
        return palette

    def to_dict(self) -> dict:
        """A JSON-ready form; `from_dict` reads it back."""
        return {
            "names": list(self.names),
            "colors": [list(color) for color in self.colors],
            "ignore_id": self.ignore_id,
        }

    @classmethod
    def from_dict(cls, data: dict) -> LabelMap:
        """The inverse of `to_dict`. Raises UserError where the data has another form."""
        try:
            ignore_id = data.get("ignore_id")
            return cls(
                tuple(str(name) for name in data["names"]),
                tuple(tuple(int(channel) for channel in color) for color in data["colors"]),
                None if ignore_id is None else int(ignore_id),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"label map: {type(error).__name__}: {error}; "
                "needs 'names' and 'colors' of equal length"
            ) from error
