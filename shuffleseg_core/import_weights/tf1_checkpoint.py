"""Reading TensorFlow 1 checkpoints: `PREFIX.index` beside `PREFIX.data-00000-of-00001`."""

from __future__ import annotations

import glob
import re
from pathlib import Path

import numpy as np

from ..errors import UserError, needs_extra

_SUFFIX = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")


def find_tf1_checkpoint(path: Path) -> Path | None:
    """The prefix of the checkpoint that the user means; None where there is none.

    Args:
        path: a prefix, one of the checkpoint's files, or a folder with one checkpoint. In a
            folder with several, its file `checkpoint` says which is the latest.

    Raises:
        UserError: the folder has several checkpoints and does not say which one counts, or the
            index of the checkpoint is missing.
    """
    if not path.is_dir():
        prefix = path.with_name(_SUFFIX.sub("", path.name))
        if _index(prefix).is_file():
            return prefix
        if prefix != path:
            raise UserError(f"{path}: {prefix.name}.index is not beside it")
        return None
    prefixes = sorted(file.with_suffix("") for file in path.glob("*.index"))
    latest = _latest_name(path / "checkpoint")
    if latest and path / latest in prefixes:
        return path / latest
    if len(prefixes) > 1:
        names = ", ".join(prefix.name for prefix in prefixes)
        raise UserError(f"{path}: has several checkpoints; give one of {names}")
    return prefixes[0] if prefixes else None


def read_tf1_checkpoint(prefix: Path) -> dict[str, np.ndarray]:
    """All variables by name.

    Raises:
        UserError: TensorFlow is not installed, or a file is missing, damaged or cut off.
    """
    try:
        import tensorflow as tf
    except ImportError as error:
        what = f"{prefix}: reading a TensorFlow 1 checkpoint needs TensorFlow"
        raise needs_extra(what, error) from error
    if not any(prefix.parent.glob(f"{glob.escape(prefix.name)}.data-*")):
        raise UserError(
            f"{prefix}.index: its data file is missing; put {prefix.name}.data-00000-of-00001 "
            "beside it"
        )
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{prefix}: not a whole TensorFlow checkpoint: {reason}; download it again"
        ) from error


def _index(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.index")


def _latest_name(record: Path) -> str | None:
    """The name after `model_checkpoint_path:`, without the folder of who trained it."""
    try:
        text = record.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    match = re.search(r'^model_checkpoint_path:\s*"(.*)"', text, re.MULTILINE)
    return match[1].replace("\\", "/").rsplit("/", 1)[-1] if match else None
