"""Image sizes as people write them: WIDTHxHEIGHT."""

from __future__ import annotations

import re

from .errors import UserError


def parse_size(text: str) -> tuple[int, int]:
    """ "640x360" → (640, 360): (width, height) in pixels. Raises UserError otherwise."""
    match = re.fullmatch(r"\s*(\d{1,5})\s*[x×X]\s*(\d{1,5})\s*", str(text))
    size = tuple(map(int, match.groups())) if match else (0, 0)
    if min(size) < 1:
        raise UserError(f"size {text!r}: write WIDTHxHEIGHT in pixels, for example 640x360")
    return size


def format_size(size: tuple[int, int]) -> str:
    """(640, 360) → "640x360"."""
    return f"{size[0]}x{size[1]}"
