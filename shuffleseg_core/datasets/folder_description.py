"""The small YAML file that describes a user's own folder of images and masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from ..errors import UserError
from ..label_map import LabelMap, spread_color
from .file_pattern import FilePattern
from .mask_format import MaskFormat

#: Id of unlabelled pixels as the data set gives them, whatever the files hold.
IGNORED = 255


@dataclass(frozen=True)
class Patterns:
    """Where a split's files are, relative to the YAML's folder.

    Attributes:
        images: one or more patterns, all with the same wildcards.
        masks: a pattern with these wildcards, too; None where the split has no masks.
    """

    images: tuple[FilePattern, ...]
    masks: FilePattern | None


@dataclass(frozen=True)
class FolderDescription:
    """What the YAML says; see docs/data_sets.md.

    Attributes:
        label_map: the classes in the file's order; 255 is the ignored id.
        mask_format: how the masks hold them.
        splits: split name → its files.
        val_share: part of `train`, above 0 and below 1, that is the split `val`; None for none.
    """

    label_map: LabelMap
    mask_format: MaskFormat
    splits: dict[str, Patterns]
    val_share: float | None


def read_description(path: Path) -> FolderDescription:
    """Read the YAML.

    Raises:
        UserError: the file is missing or unreadable, or says what it may not.
    """
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: bytes or dates that are none
        # A plain * begins an alias.
        hint = "; put patterns that begin with * in quotes" if " alias" in str(error) else ""
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not valid YAML: {reason}{hint}") from error
    try:
        return _description(data)
    except _Mistake as mistake:
        raise UserError(f"{path}: {mistake}; docs/data_sets.md shows the format") from mistake


class _Mistake(Exception):
    pass


def _description(data) -> FolderDescription:
    known = ("classes", "splits", "ignore_id", "ignore_color", "palette", "val_share")
    data = _mapping(data, "the file", known, needed=known[:2])
    classes = _list(data["classes"], "classes")
    if not 1 <= len(classes) <= IGNORED:
        raise _Mistake(f"classes: {len(classes)} of them; give 1 to {IGNORED}")
    names, colors, ids = [], [], []
    for place, item in enumerate(classes):
        item = _mapping(item, f"class {place}", ("name", "color", "id"), needed=("name",))
        name = item["name"]
        if not isinstance(name, str) or not name.strip():
            raise _Mistake(f"class {place}: name is {name!r}; give a text, in quotes if need be")
        names.append(name)
        colors.append(_color(item["color"], f"color of {name!r}") if "color" in item else None)
        ids.append(_byte(item.get("id", place), f"id of {name!r}"))
    for what, values in (("name", names), ("color", colors), ("id", ids)):
        twice = [v for i, v in enumerate(values) if v is not None and v in values[:i]]
        if twice:
            raise _Mistake(f"two classes have the {what} {twice[0]!r}; give each its own")

    ignored = data.get("ignore_id", None if IGNORED in ids else IGNORED)
    if ignored is not None and _byte(ignored, "ignore_id") in ids:
        raise _Mistake(f"ignore_id {ignored} is also the id of {names[ids.index(ignored)]!r}")
    id_of_color = {color: place for place, color in enumerate(colors) if color is not None}
    if "ignore_color" in data:
        color = _color(data["ignore_color"], "ignore_color")
        if color in id_of_color:
            raise _Mistake(f"ignore_color {color} is also that of {names[id_of_color[color]]!r}")
        id_of_color[color] = IGNORED
    palette = data.get("palette", "colors")
    if palette not in ("ids", "colors"):
        raise _Mistake(f"palette is {palette!r}; give ids or colors")

    id_of_value = {value: place for place, value in enumerate(ids)}
    if ignored is not None:
        id_of_value[ignored] = IGNORED
    expected = f"the YAML has the ids {', '.join(map(str, sorted(id_of_value)))}"
    if id_of_color:
        expected_colors = f"the YAML has the colours {', '.join(map(str, id_of_color))}"
    else:
        expected_colors = "the YAML has no colours"
    expected_colors += "; for a palette whose indices are the ids, add palette: ids to it"
    return FolderDescription(
        LabelMap(tuple(names), _filled(colors), IGNORED),
        MaskFormat(id_of_value, expected, id_of_color, expected_colors, palette == "ids"),
        _splits(data["splits"]),
        _share(data.get("val_share"), data["splits"]),
    )


def _filled(colors: list) -> tuple:
    """Colours, with spread ones that nobody has where the user gave none."""
    spread = (c for c in map(spread_color, range(1, 513)) if c not in colors)
    return tuple(next(spread) if color is None else color for color in colors)


def _splits(data) -> dict[str, Patterns]:
    if not isinstance(data, dict) or not data:
        raise _Mistake("splits: give at least one, as train: {images: …, masks: …}")
    splits = {}
    for name, item in data.items():
        if not isinstance(name, str) or not name or set(name) & set("+:!/"):
            raise _Mistake(f"splits: {name!r} cannot be a name; use letters and digits")
        item = _mapping(item, f"split {name}", ("images", "masks"), needed=("images",))
        texts = item["images"] if isinstance(item["images"], list) else [item["images"]]
        if not texts:
            raise _Mistake(f"split {name}: images is empty; give a pattern such as images/*.jpg")
        images = tuple(_pattern(name, text) for text in texts)
        masks = None if item.get("masks") is None else _pattern(name, item["masks"])
        for pattern in (*images, masks or images[0]):
            if pattern.wildcards != images[0].wildcards:
                raise _Mistake(
                    f"split {name}: {images[0].text} and {pattern.text} need the same wildcards "
                    "in the same order, since what they stand for tells which mask is whose"
                )
        splits[name] = Patterns(images, masks)
    return splits


def _pattern(split: str, text) -> FilePattern:
    if not isinstance(text, str) or "*" not in text or text.endswith(("**", "/")):
        raise _Mistake(f"split {split}: {text!r} is no pattern such as images/*.jpg")
    return FilePattern(text)


def _share(share, splits) -> float | None:
    if share is None:
        return None
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share < 1:
        raise _Mistake(f"val_share is {share!r}; give a number above 0 and below 1")
    if "val" in splits or "train" not in splits:
        raise _Mistake("val_share needs a split train and no split val")
    return share


def _mapping(data, what: str, known: tuple[str, ...], needed: tuple[str, ...]) -> dict:
    if not isinstance(data, dict):
        raise _Mistake(f"{what} is no mapping with {', '.join(known)}")
    for key in data:
        if key not in known:
            raise _Mistake(f"{what}: the key {key!r} is not known; known are {', '.join(known)}")
    for key in needed:
        if data.get(key) is None:
            raise _Mistake(f"{what}: {key} is missing")
    return data


def _list(data, what: str) -> list:
    if not isinstance(data, list):
        raise _Mistake(f"{what}: give a list")
    return data


def _byte(value, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 255:
        raise _Mistake(f"{what} is {value!r}; give a whole number from 0 to 255")
    return value


def _color(value, what: str) -> tuple[int, int, int]:
    if not isinstance(value, list) or len(value) != 3:
        raise _Mistake(f"{what} is {value!r}; give [R, G, B], each 0 to 255")
    return tuple(_byte(channel, what) for channel in value)
