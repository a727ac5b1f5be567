"""Pictures by matplotlib, without a display and without global state."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .atomic_file import atomic_path
from .colorize import colorize
from .errors import UserError, needs_extra
from .label_map import LabelMap
from .user_path import user_path

_UNLABELLED = 255  # white: black is the background of COCO and VOC


def check_png_name(option: str, path: str | os.PathLike) -> Path:
    """The path of a picture to write, checked before the work begins.

    Args:
        option: that it was given by, for messages.
        path: as the user gave it.

    Raises:
        UserError: the name does not end in .png, or matplotlib is missing.
    """
    path = user_path(path)
    if path.suffix.lower() != ".png":
        raise UserError(f"{option} {path}: the name must end in .png")
    require_matplotlib(option)
    return path


def require_matplotlib(option: str) -> None:
    """Raises UserError, which names the option that asks for pictures, without matplotlib."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise needs_extra(f"{option} needs matplotlib", error) from error


def paint_truth(truth: np.ndarray, label_map: LabelMap) -> np.ndarray:
    """uint8 [H, W, 3] RGB: ids [H, W] in their classes' colours, unlabelled pixels in white."""
    picture = colorize(truth, label_map)
    if label_map.ignore_id is not None:
        picture[truth == label_map.ignore_id] = _UNLABELLED
    return picture


def class_patches(label_map: LabelMap, shown: Sequence[bool], unlabelled: bool) -> list:
    """A legend's handles: the colours of the classes shown, and white where some is unlabelled."""
    from matplotlib.patches import Patch

    entries = [
        (color, name) for color, name, show in zip(label_map.colors, label_map.names, shown) if show
    ]
    if unlabelled:
        entries.append(((_UNLABELLED,) * 3, "unlabelled"))
    return [
        Patch(facecolor=np.divide(color, 255), edgecolor="0.5", label=name)
        for color, name in entries
    ]


def save_png(figure, path: Path, dpi: int = 110) -> None:
    """Write a figure. Raises UserError where the file cannot be written."""
    try:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=dpi, bbox_inches="tight")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
