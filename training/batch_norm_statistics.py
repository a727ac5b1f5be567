"""Batch norms' statistics of the final weights, in place of their moving averages.

Moving averages hold what the layers put out while the weights still moved. After few steps they
lag so far that a network scores points below what it can (Wu & Johnson, arXiv:2105.07576, section
3, "precise" batch norm).
"""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np


def estimate_batch_norms(model: keras.Model, batches: Iterable[np.ndarray]) -> None:
    """Give the batch norms the mean and variance of what they see in `batches`.

    Dropout is off meanwhile, as in inference. Gives the same on every run.

    Args:
        model: built, with its final weights; nothing but the statistics changes.
        batches: at least one, float32 [B, H, W, 3], as in training.
    """
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    dropouts = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    before = [layer.momentum for layer in norms], [layer.rate for layer in dropouts]
    count = 0
    try:
        for layer in norms:
            layer.momentum = 0.0  # what a pass leaves is its own batch's
        for layer in dropouts:
            layer.rate = 0.0
        for count, images in enumerate(batches, 1):
            model(images, training=True)
            means, variances = ([np.asarray(v, np.float64) for v in of] for of in _moving(norms))
            squares = [variance + mean**2 for mean, variance in zip(means, variances)]
            if count == 1:
                sums = means, squares
            else:
                for total, more in zip((*sums[0], *sums[1]), (*means, *squares)):
                    total += more
    finally:
        for layer, momentum in zip(norms, before[0]):
            layer.momentum = momentum
        for layer, rate in zip(dropouts, before[1]):
            layer.rate = rate
    for layer, mean, square in zip(norms, *sums):
        layer.moving_mean.assign((mean / count).astype(np.float32))
        variance = square / count - (mean / count) ** 2
        layer.moving_variance.assign(np.maximum(variance, 0).astype(np.float32))


def _moving(norms):
    return [n.moving_mean.value for n in norms], [n.moving_variance.value for n in norms]
