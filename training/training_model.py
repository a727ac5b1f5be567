"""The network with all that it learns from: what a training step computes.

Beside its own logits there may be those of an auxiliary classifier and those of a teacher. Nothing
of either is in the network that a training ends with.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import ops

from .auxiliary_head import auxiliary_logits
from .recipe import OptimizationRecipe


def training_model(
    network: keras.Model,
    settings: OptimizationRecipe,
    align_corners: bool = False,
    teacher: keras.Model | None = None,
) -> keras.Model:
    """The model that a training compiles.

    Args:
        network: images → logits [B, H, W, C]; its layers are shared.
        settings: name the auxiliary classifier, if any.
        align_corners: see `auxiliary_logits`.
        teacher: see `load_teacher`.

    Returns:
        `network` itself where it learns from labels at its logits alone; else a model whose
        outputs are those that `TrainingLoss` takes.

    Raises:
        UserError: see `auxiliary_logits`.
    """
    outputs = [network.output]
    if settings.auxiliary_weight:
        outputs.append(auxiliary_logits(network, settings.auxiliary_layer, align_corners))
    if teacher is not None:
        outputs.append(teacher(network.input))
    return network if len(outputs) == 1 else keras.Model(network.input, outputs)


class TrainingLoss:
    """Loss of the logits + auxiliary_weight · loss of the auxiliary ones + distillation_weight ·
    mean over pixels of KL(teacher ‖ network), the pixel-wise term of Liu et al.
    (arXiv:1903.04197, equation 1).

    Args:
        loss: of labels [B, H, W] and logits [B, H, W, C]; see `PixelLoss`.
        settings: give the weights.

    Call with labels and what `training_model` gives.
    """

    def __init__(self, loss: Callable, settings: OptimizationRecipe):
        self.loss = loss
        self.auxiliary_weight = settings.auxiliary_weight
        self.distillation_weight = settings.distillation_weight
        self.takes_quarter = settings.loss_pixels == "quarter"

    def __call__(self, labels, outputs):
        if self.takes_quarter:
            labels = quarter(labels)
            outputs = [quarter(x) for x in outputs] if _is_list(outputs) else quarter(outputs)
        if not (self.auxiliary_weight or self.distillation_weight):
            return self.loss(labels, outputs)
        logits, *more = outputs
        value = self.loss(labels, logits)
        if self.auxiliary_weight:
            value = value + self.auxiliary_weight * self.loss(labels, more[0])
        if self.distillation_weight:
            value = value + self.distillation_weight * mean_divergence(more[-1], logits)
        return value


def _is_list(outputs) -> bool:
    return isinstance(outputs, (list, tuple))


def quarter(x):
    """Every second column of every second row: [B, H, W, …] → [B, H // 2, W // 2, …].

    Of image k those from row k // 2 % 2 and column k % 2 on: without drawing a number, other
    pixels from image to image and, as images change their places, from epoch to epoch. Neighbours
    tell a loss nearly the same, since logits come enlarged from a coarser grid. The last row or
    column of an odd size is left out.
    """
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    images = ops.unstack(x, x.shape[0])  # whose gradient is one copy, not one a slice
    return ops.stack(
        [image[k // 2 % 2 : height : 2, k % 2 : width : 2] for k, image in enumerate(images)]
    )


def mean_divergence(teacher_logits, logits):
    """Σ p ln(p / q) averaged over pixels, p and q the softmax of [B, H, W, C]; a float32 scalar."""
    p, q = (ops.log_softmax(ops.cast(x, "float32"), axis=-1) for x in (teacher_logits, logits))
    return ops.mean(ops.sum(ops.exp(p) * (p - q), axis=-1))
