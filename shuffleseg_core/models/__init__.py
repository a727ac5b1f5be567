"""Keras models by name. Importing this package needs Keras, and with it one of its backends."""

from __future__ import annotations

from .architectures import ARCHITECTURES, Architecture
from .build import build_model
from .heads import HEADS

__all__ = ["ARCHITECTURES", "HEADS", "Architecture", "build_model"]
