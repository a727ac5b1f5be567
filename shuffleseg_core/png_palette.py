"""The stored values of PNG files, which image libraries turn into colours or stretch to 0–255."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3  # PNG colour types


def png_depth_and_palette(data: np.ndarray) -> tuple[int, bool]:
    """(bits a sample, whether colours come from a palette); (8, False) for what is no PNG.

    Args:
        data: uint8 [N], the file's bytes.
    """
    head = data[:26].tobytes()
    if len(head) < 26 or not head.startswith(_SIGNATURE):
        return 8, False
    return head[24], head[25] == _PALETTE


def without_palette(data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn a palette PNG into a grey one whose values are the palette's indices.

    Args:
        data: uint8 [N], bytes of a PNG with a palette.

    Returns:
        (uint8 [M], bytes of the grey PNG; uint8 [P, 3], the palette's RGB colours).

    Raises:
        ValueError: the file is cut short or has no palette.
    """
    data = data.tobytes()
    grey, palette, position = [_SIGNATURE], None, len(_SIGNATURE)
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        body = data[position + 8 : end - 4]
        if kind == b"IHDR":
            grey.append(_chunk(kind, body[:9] + bytes([_GREY]) + body[10:]))
        elif kind == b"PLTE":
            palette = np.frombuffer(body[: length // 3 * 3], np.uint8).reshape(-1, 3)
        elif kind == b"IDAT":
            grey.append(data[position:])  # the pixels, and all that follows
            break
        position = end
    if palette is None:
        raise ValueError("no palette before the pixels")
    return np.frombuffer(b"".join(grey), np.uint8), palette


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
