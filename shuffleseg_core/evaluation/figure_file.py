"""Pictures by matplotlib, without a display and without global state."""

from __future__ import annotations

import os
from pathlib import Path

from ..atomic_file import atomic_path
from ..errors import UserError
from ..user_path import user_path


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
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"{option} needs matplotlib ({error}); in the checkout, run `make setup-dev` or "
            "`pip install '.[train]'`"
        ) from error
    return path


def save_png(figure, path: Path, dpi: int) -> None:
    """Write a figure. Raises UserError where the file cannot be written."""
    try:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=dpi, bbox_inches="tight")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
