"""What is compiled of this package: C, called through ctypes, where it could be built."""

from __future__ import annotations

import ctypes
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from zlib import crc32

_STEM = Path(__file__).with_name("native") / "compiled"


def _load() -> ctypes.CDLL | None:
    for suffix in EXTENSION_SUFFIXES:
        path = _STEM.with_suffix(suffix)
        if path.exists():
            try:
                library = ctypes.CDLL(str(path))
                library.sources_crc.restype = ctypes.c_int64
                if library.sources_crc() == _sources_crc():
                    return library
            except (OSError, AttributeError):  # built for another machine, or long ago
                continue
    return None


def _sources_crc() -> int:
    value = 0
    for source in sorted(_STEM.parent.glob("*.c")):
        value = crc32(source.read_bytes(), value)
    return value


_LIBRARY = _load()


def function(name: str, *argument_types):
    """A function of the compiled library that returns an int64; None where there is none."""
    found = getattr(_LIBRARY, name, None)
    if found is not None:
        found.argtypes, found.restype = argument_types, ctypes.c_int64
    return found
