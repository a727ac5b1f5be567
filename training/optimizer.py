"""The optimizer of a recipe, and which weights decay."""

from __future__ import annotations

import keras
import numpy as np

from .poly_schedule import PolySchedule
from .recipe import OptimizationRecipe

_DECAYING = (keras.layers.Conv2D, keras.layers.Conv2DTranspose, keras.layers.Dense)


def make_optimizer(
    settings: OptimizationRecipe, total_steps: int, model: keras.Model
) -> keras.optimizers.Optimizer:
    """Adam or AdamW with β 0.9 and 0.999, ε 1e-8 (section 3.2) and the poly schedule.

    `adam` has the weight decay as an L2 term of the loss, weight_decay / 2 · Σ w², as the
    official implementation; this function puts it on the model's kernels. `adamw` decays the
    weights themselves. Neither touches depthwise kernels, batch norms and biases. Both keep the
    moving average of the weights, where the settings want one (see `averaged_weights`).
    """
    schedule = make_schedule(settings, total_steps)
    options = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
    if settings.clip_norm:
        options.update(global_clipnorm=settings.clip_norm)
    if settings.ema_momentum:
        options.update(use_ema=True, ema_momentum=settings.ema_momentum)
    decaying = [
        layer.kernel
        for layer in model.layers
        if isinstance(layer, _DECAYING) and not isinstance(layer, keras.layers.DepthwiseConv2D)
    ]
    if settings.optimizer == "adam":
        for kernel in decaying:
            kernel.regularizer = keras.regularizers.L2(settings.weight_decay / 2)
        return keras.optimizers.Adam(schedule, **options)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay, **options)
    ids = {id(kernel) for kernel in decaying}
    optimizer.exclude_from_weight_decay(
        var_list=[v for v in model.trainable_variables if id(v) not in ids]
    )
    return optimizer


def make_schedule(settings: OptimizationRecipe, total_steps: int) -> PolySchedule:
    """The learning rate of a recipe."""
    return PolySchedule(
        settings.learning_rate,
        total_steps,
        settings.power,
        settings.slow_start_steps,
        settings.slow_start_rate,
    )


def averaged_weights(model: keras.Model, network: keras.Model) -> list[np.ndarray]:
    """The weights that a network has come to, as its `get_weights` orders them.

    That is their moving average where the optimizer keeps one (batch norms' statistics are
    averages anyway), else the weights themselves. The network stays as it is.

    Args:
        model: what is trained, see `training_model`.
        network: itself, or a part of it.
    """
    optimizer = model.optimizer
    if not getattr(optimizer, "inner_optimizer", optimizer).use_ema:
        return network.get_weights()
    weights = model.get_weights()
    # Keras gives its averages away only by putting them in the weights' place.
    optimizer.finalize_variable_values(model.trainable_variables)
    averages = network.get_weights()
    model.set_weights(weights)
    return averages
