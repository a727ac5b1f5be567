"""What is compiled of this package: C, called through ctypes, where it could be built."""

from __future__ import annotations

import ctypes
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from zlib import crc32


def load_library(folder: Path) -> ctypes.CDLL | None:
    """The library `compiled` of the C sources in a folder; None where it was not built of these."""
    for suffix in EXTENSION_SUFFIXES:
        path = (folder / "compiled").with_suffix(suffix)
        if path.exists():
            try:
                library = ctypes.CDLL(str(path))
                library.sources_crc.restype = ctypes.c_int64
                if library.sources_crc() == _sources_crc(folder):
                    return library
            except (OSError, AttributeError):  # built for another machine, or long ago
                continue
    return None


def _sources_crc(folder: Path) -> int:
    value = 0
    for source in sorted(folder.glob("*.c")):
        value = crc32(source.read_bytes(), value)
    return value


_LIBRARY = load_library(Path(__file__).with_name("native"))


def function(name: str, *argument_types, library: ctypes.CDLL | None = _LIBRARY):
    """A function of a compiled library that returns an int64; None where there is none.

    Args:
        library: this package's, or another of `load_library`.
    """
    found = getattr(library, name, None)
    if found is not None:
        found.argtypes, found.restype = argument_types, ctypes.c_int64
    return found
