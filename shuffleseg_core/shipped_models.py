"""The models that come with the package, by name."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from .errors import UserError
from .user_path import user_path

#: What is used where none is named: the better trade-off of accuracy and time.
DEFAULT_MODEL = "camvid_fast"


def shipped_models() -> dict[str, Path]:
    """Name → .tflite file, by name. Beside them lie cards (.md) and scores (.val.json)."""
    folder = Path(str(resources.files(__package__))) / "shipped"
    return {file.stem: file for file in sorted(folder.glob("*.tflite"))}


def default_model_path() -> Path:
    """The .tflite file that is used where none is named."""
    return shipped_models()[DEFAULT_MODEL]


def find_model(model: str | os.PathLike | None) -> Path:
    """The file that a user means: None or "" the default, a shipped model's name, or a path.

    A file or folder of that name in the working directory comes before a shipped model.

    Raises:
        UserError: a bare word that is neither; or see `user_path`.
    """
    if not model:
        return default_model_path()
    path = user_path(model)
    if path.exists():
        return path
    name, shipped = str(model), shipped_models()
    if name not in shipped and not path.suffix and os.sep not in name:
        raise UserError(f"model {name}: no such file, and what ships is {', '.join(shipped)}")
    return shipped.get(name, path)
