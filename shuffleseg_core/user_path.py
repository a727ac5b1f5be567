"""Paths as users give them."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import UserError


def user_path(path: str | os.PathLike) -> Path:
    """The path with "~" replaced by the home folder, for where no shell did that.

    Raises:
        UserError: "~name" names nobody.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(f"{path}: {error}") from error
