"""What the transformers for phones have in common beside their attention."""

from __future__ import annotations

from .blocks import ConvNormAct
from .engine import layers


def convolutional_mlp(x, expansion: int, conv: ConvNormAct, name: str):
    """1×1 to expansion · C, depthwise 3×3 with bias and no norm, relu6, 1×1: keeps [B, H, W, C]."""
    width = x.shape[-1]
    x = conv.pointwise(x, expansion * width, name=f"{name}_expand", activation=None)
    x = layers.DepthwiseConv2D(3, padding="same", name=f"{name}_depthwise")(x)
    x = layers.Activation("relu6", name=f"{name}_depthwise_activation")(x)
    return conv.pointwise(x, width, name=f"{name}_project", activation=None)


def drop_path(x, rate: float, name: str):
    """Stochastic depth (arXiv:1603.09382): training leaves the branch out for a share of the
    images."""
    return layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=name)(x) if rate else x
