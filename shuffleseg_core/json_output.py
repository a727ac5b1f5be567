"""The `--json FILE` option of commands."""

from __future__ import annotations

import json
import math

from .atomic_file import atomic_path
from .errors import UserError


def add_json_option(parser) -> None:
    parser.add_argument(
        "--json", metavar="FILE", help="write the figures as JSON; - for standard output"
    )


def write_json(target: str, data: dict) -> None:
    """Write `data` to a file, or to standard output where `target` is "-".

    NaN, which JSON lacks, becomes null.

    Raises:
        UserError: the file cannot be written.
    """
    text = json.dumps(_without_nan(data), indent=2, ensure_ascii=False)
    if target == "-":
        print(text)
        return
    try:
        with atomic_path(target) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{target}: cannot be written: {error.strerror}") from error


def _without_nan(value):
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
