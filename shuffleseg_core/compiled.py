"""What is compiled of this package: C, called through ctypes, where it could be built."""

from __future__ import annotations

import ctypes
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

_STEM = Path(__file__).with_name("native") / "compiled"


def _load() -> ctypes.CDLL | None:
    for suffix in EXTENSION_SUFFIXES:
        path = _STEM.with_suffix(suffix)
        if path.exists():
            try:
                return ctypes.CDLL(str(path))
            except OSError:  # built for another machine
                continue
    return None


_LIBRARY = _load()


def function(name: str, *argument_types):
    """A function of the compiled library that returns an int64; None where there is none."""
    found = getattr(_LIBRARY, name, None)
    if found is not None:
        found.argtypes, found.restype = argument_types, ctypes.c_int64
    return found
