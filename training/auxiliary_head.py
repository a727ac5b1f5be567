"""Deep supervision: a second classifier within the network, for training alone."""

from __future__ import annotations

import keras
from keras import layers

from shuffleseg_core.errors import UserError
from shuffleseg_core.models.blocks import ConvNormAct, ResizeLike

_WIDTH = 64


def auxiliary_logits(model: keras.Model, layer: str, align_corners: bool = False):
    """Logits from the midst of a network (Zhao et al., arXiv:1612.01105, section 3.4).

    3×3 convolution of width 64, 1×1 convolution, bilinear resize.

    Args:
        model: from images to logits [B, H, W, C].
        layer: the layer whose output [B, h, w, any] they are made of.
        align_corners: of the resize, as the network's own.

    Returns:
        Symbolic float32 [B, H, W, C].

    Raises:
        UserError: the network has no such layer, or its output is no picture.
    """
    found = {one.name: one for one in model.layers}.get(layer)
    shape = getattr(getattr(found, "output", None), "shape", ())
    if len(shape) != 4:
        outputs = [one.name for one in model.layers if one.name.endswith("_output")]
        outputs = outputs or _last_layers(model)
        raise UserError(
            f"optimization.auxiliary_layer: the network has no layer {layer!r} with features; "
            f"it has, among others, {', '.join(outputs)}"
        )
    x = ConvNormAct(epsilon=1e-5).conv(found.output, _WIDTH, 3, "auxiliary")
    x = layers.Conv2D(model.output.shape[-1], 1, name="auxiliary_logits", dtype="float32")(x)
    return ResizeLike(align_corners, name="auxiliary_upsample", dtype="float32")([x, model.output])


def _last_layers(model: keras.Model) -> list[str]:
    """The last layer with features of each size, up to the logits."""
    last = {}
    for layer in model.layers[1:]:
        if layer.name == "logits":
            break
        shape = getattr(layer.output, "shape", ())
        if len(shape) == 4 and shape[1:3] != (1, 1):
            last[tuple(shape[1:3])] = layer.name
    return list(last.values())
