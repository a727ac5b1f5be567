"""Squeeze-and-excite: channels scaled by what the whole image shows."""

from __future__ import annotations

from .engine import layers


def squeeze_excite(x, squeezed_width: int, name: str):
    """Hu et al. (arXiv:1709.01507) with the hard sigmoid of MobileNetV3 (arXiv:1905.02244).

    Args:
        x: [B, H, W, C].
        squeezed_width: channels between the two 1×1 convolutions.
        name: prefix of the layers' names.

    Returns:
        [B, H, W, C].
    """
    scale = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_pool")(x)
    scale = layers.Conv2D(squeezed_width, 1, name=f"{name}_squeeze")(scale)
    scale = layers.Activation("relu", name=f"{name}_squeeze_activation")(scale)
    scale = layers.Conv2D(x.shape[-1], 1, name=f"{name}_excite")(scale)
    scale = layers.Activation("hard_sigmoid", name=f"{name}_excite_activation")(scale)
    return layers.Multiply(name=f"{name}_scaled")([x, scale])


def divisible_by_8(width: float) -> int:
    """The multiple of 8 nearest to `width`, but never below 90 % of it."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded
