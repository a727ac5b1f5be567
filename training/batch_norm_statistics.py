"""Batch norms' statistics: kept as they are, or taken from the weights that they stand between.

Moving averages hold what the layers put out while the weights still moved. After few steps they
lag so far that a network scores points below what it can (Wu & Johnson, arXiv:2105.07576, section
3, "precise" batch norm).
"""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np

from shuffleseg_core.errors import UserError


def freeze_batch_norms(model: keras.Model) -> None:
    """Let training use the batch norms as inference does, and leave them as they are.

    To be called before the model is compiled. What DeepLabv3 (Chen et al., arXiv:1706.05587,
    section 4.1) does late in training; each batch norm is then one multiplication and addition.
    """
    for layer in _batch_norms(model):
        layer.trainable = False


def estimate_batch_norms(model: keras.Model, batches: Iterable[np.ndarray]) -> None:
    """Give the batch norms the mean and variance of what they see in `batches`.

    Dropout is off meanwhile, as in inference. Gives the same on every run.

    Args:
        model: built, with its final weights; nothing but the statistics changes.
        batches: at least one, float32 [B, H, W, 3], as in training.
    """
    norms = _batch_norms(model)
    dropouts = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    momenta, rates = [layer.momentum for layer in norms], [layer.rate for layer in dropouts]
    sums = [np.zeros((2, *layer.moving_mean.shape)) for layer in norms]  # of x and x²
    count = 0
    try:
        for layer in norms:
            layer.momentum = 0.0  # what a pass leaves is its own batch's
        for layer in dropouts:
            layer.rate = 0.0
        for images in batches:
            model(images, training=True)
            count += 1
            for total, layer in zip(sums, norms):
                mean = np.asarray(layer.moving_mean.value, np.float64)
                total += mean, np.asarray(layer.moving_variance.value) + mean**2
    finally:
        for layer, momentum in zip(norms, momenta):
            layer.momentum = momentum
        for layer, rate in zip(dropouts, rates):
            layer.rate = rate
    for layer, total in zip(norms, sums):
        mean, square = total / count
        layer.moving_mean.assign(mean.astype(np.float32))
        layer.moving_variance.assign(np.maximum(square - mean**2, 0).astype(np.float32))


def unfold_batch_norms(
    model: keras.Model, names: Iterable[str], batches: Iterable[np.ndarray]
) -> None:
    """Give batch norms the statistics of what they see in `batches`, and keep the function.

    Scale and shift change along, so that inference gives the same as before (to float32's
    rounding), and training begins there. The layer's epsilon is a floor under the variance: a
    channel that is dead in these images gets a scale of √epsilon, and not one that blows up where
    it wakes.

    Args:
        model: built, with weights of any statistics.
        names: of the batch norms to change.
        batches: at least one, all of one shape, float32 [B, H, W, 3], as in training.

    Raises:
        UserError: what a layer sees is not finite.
    """
    norms = [model.get_layer(name) for name in names]
    moments = keras.Model(
        model.input, [keras.ops.moments(layer.input, axes=(0, 1, 2)) for layer in norms]
    )
    # Called as it is: `predict` would compile all of it, or spread it over devices.
    found = [
        [tuple(map(keras.ops.convert_to_numpy, pair)) for pair in moments(images, training=False)]
        for images in batches
    ]
    for layer, *parts in zip(norms, *found):
        means, variances = np.moveaxis(np.asarray(parts, np.float64), 1, 0)
        mean, variance = means.mean(0), variances.mean(0) + means.var(0)
        if not np.isfinite(variance).all():
            raise UserError(f"{layer.name}: the starting weights give numbers that are not finite")
        gamma, beta, old_mean, old_variance = (
            weight.astype(np.float64) for weight in layer.get_weights()
        )
        scale = gamma / np.sqrt(old_variance + layer.epsilon)
        layer.set_weights(
            [
                scale * np.sqrt(variance + layer.epsilon),
                beta + scale * (mean - old_mean),
                mean,
                variance,
            ]
        )


def _batch_norms(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
