"""From numbers back to bytes."""

from __future__ import annotations

import numpy as np


def to_bytes(values: np.ndarray) -> np.ndarray:
    """The nearest bytes of values around 0 to 255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
