"""Weights that balance rare and common classes."""

from __future__ import annotations

import numpy as np


def enet_class_weights(pixel_counts: np.ndarray) -> np.ndarray:
    """1 / ln(1.02 + share of the class), ENet's balance of rare and common classes.

    Paszke et al., arXiv:1606.02147, section 5.2.

    Args:
        pixel_counts: [C] pixels of each class in the training set.

    Returns:
        float64 [C].
    """
    return 1.0 / np.log(1.02 + pixel_counts / max(pixel_counts.sum(), 1))
