"""How the values or colours of label files become class ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from ..errors import UserError
from ..image_file import read_mask
from ..label_map import LabelMap

Color = tuple[int, int, int]


@dataclass(frozen=True)
class MaskFormat:
    """What label files hold.

    Attributes:
        id_of_value: value in files (0 to 255) → class id, or the ignored id; other values are
            mistakes.
        expected: says in errors which values are right.
        id_of_color: (R, G, B) in files → id likewise; empty where files must not be in colour.
        expected_colors: says in errors what to do about wrong or unexpected colours.
        palette_ids: whether the indices of a palette are values; else its colours count.
    """

    id_of_value: dict[int, int]
    expected: str
    id_of_color: dict[Color, int] = field(default_factory=dict)
    expected_colors: str = "save class ids as one byte a pixel, without a palette"
    palette_ids: bool = False

    @classmethod
    def of_ids(cls, label_map: LabelMap) -> MaskFormat:
        """Files that hold the ids of `label_map` as they are."""
        ids = {i: i for i in range(len(label_map))}
        expected = f"ids are 0 to {len(label_map) - 1}"
        if label_map.ignore_id is not None:
            ids[label_map.ignore_id] = label_map.ignore_id
            expected += f", and {label_map.ignore_id} for unlabelled"
        return cls(ids, expected)

    def read(self, path: Path) -> np.ndarray:
        """uint8 [H, W] class ids.

        Raises:
            UserError: the file is missing or unreadable, or holds what is no class.
        """
        mask, palette = read_mask(path)
        if palette is not None and self.id_of_color and not self.palette_ids:
            return self._from_palette(path, mask, palette)
        if mask.ndim == 3 and self.id_of_color:
            return self._from_colors(path, mask)
        if mask.ndim == 3 or (palette is not None and not self.palette_ids):
            raise UserError(f"{path}: label image is in colour; {self.expected_colors}")
        ids, known = self._value_table
        used = cv2.calcHist([mask], [0], None, [256], [0, 256]).ravel() > 0
        wrong = np.flatnonzero(used & ~known)
        if wrong.size:
            raise UserError(
                f"{path}: id {wrong[0]} is no class (pixel {_first(mask == wrong[0])}); "
                f"{self.expected}{_lossy(path)}"
            )
        return cv2.LUT(mask, ids)

    @cached_property
    def _value_table(self) -> tuple[np.ndarray, np.ndarray]:
        """(uint8 [256], id of each value; bool [256], whether the value is right)."""
        ids, known = np.zeros(256, np.uint8), np.zeros(256, bool)
        for value, id_ in self.id_of_value.items():
            ids[value], known[value] = id_, True
        return ids, known

    def _from_palette(self, path: Path, mask: np.ndarray, palette: np.ndarray) -> np.ndarray:
        ids = np.zeros(256, np.uint8)
        used = cv2.calcHist([mask], [0], None, [256], [0, 256]).ravel() > 0
        for index in np.flatnonzero(used):
            # Files with indices beyond their palette exist; readers show them black.
            color = tuple(palette[index].tolist()) if index < len(palette) else (0, 0, 0)
            if color not in self.id_of_color:
                raise self._unknown_color(path, color, mask == index)
            ids[index] = self.id_of_color[color]
        return cv2.LUT(mask, ids)

    def _from_colors(self, path: Path, mask: np.ndarray) -> np.ndarray:
        codes, ids = self._color_table
        code = cv2.cvtColor(mask, cv2.COLOR_RGB2RGBA).view("<u4")[..., 0] & 0xFFFFFF
        place = np.searchsorted(codes[:-1], code)  # the last place is the guess for what is above
        wrong = codes[place] != code
        if wrong.any():
            y, x = np.unravel_index(wrong.argmax(), wrong.shape)
            raise self._unknown_color(path, tuple(mask[y, x].tolist()), wrong)
        return ids[place]

    @cached_property
    def _color_table(self) -> tuple[np.ndarray, np.ndarray]:
        """(uint32 [C], sorted codes of the colours; uint8 [C], their ids)."""
        table = sorted((r | g << 8 | b << 16, id_) for (r, g, b), id_ in self.id_of_color.items())
        return np.array([c for c, _ in table], np.uint32), np.array([i for _, i in table], np.uint8)

    def _unknown_color(self, path: Path, color: Color, where: np.ndarray) -> UserError:
        return UserError(
            f"{path}: colour {color} at pixel {_first(where)} is no class's colour; "
            f"{self.expected_colors}{_lossy(path)}"
        )


def _first(where: np.ndarray) -> str:
    """The first true pixel, for messages."""
    y, x = np.unravel_index(where.argmax(), where.shape)
    return f"x={x}, y={y}"


def _lossy(path: Path) -> str:
    """JPEG blurs ids and colours alike."""
    is_jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    return "; JPEG changes values: save masks as PNG" if is_jpeg else ""
