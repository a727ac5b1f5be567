"""The inverted residual of the MobileNets and of what is built of it."""

from __future__ import annotations

from dataclasses import dataclass

from .engine import layers
from .squeeze_excite import squeeze_excite


@dataclass(frozen=True)
class Unit:
    """What can be taken of an inverted residual.

    Attributes:
        depthwise: [B, h, w, expanded channels] after the depthwise convolution's activation.
        output: [B, h, w, channels].
    """

    depthwise: object
    output: object


def inverted_residual(
    x,
    expanded: int,
    width: int,
    conv,
    name: str,
    kernel_size: int = 3,
    stride: int = 1,
    rate: int = 1,
    activation: str = "relu",
    squeezed: int | None = None,
    always_expand: bool = False,
) -> Unit:
    """1×1 to more channels, depthwise, squeeze-and-excite, 1×1 without activation.

    Figure 4(d) of MobileNetV2 (arXiv:1801.04381), figure 4 of MobileNetV3 (arXiv:1905.02244). With
    a shortcut where input and output have the same shape.

    Args:
        x: [B, H, W, C].
        expanded: channels between the 1×1 convolutions; C leaves out the first of them, unless
            `always_expand`.
        width: channels of the output.
        conv: a `ConvNormAct`.
        name: prefix of the layers' names.
        kernel_size, stride, rate: of the depthwise convolution.
        activation: behind the first two convolutions.
        squeezed: channels inside squeeze-and-excite; None leaves it out.
    """
    shortcut = x
    if always_expand or expanded != x.shape[-1]:
        x = conv.pointwise(x, expanded, name=f"{name}_expand", activation=activation)
    depthwise = x = conv.depthwise(
        x, stride=stride, rate=rate, kernel_size=kernel_size, name=f"{name}_depthwise",
        activation=activation,
    )  # fmt: skip
    if squeezed is not None:
        x = squeeze_excite(x, squeezed, f"{name}_se")
    x = conv.pointwise(x, width, name=f"{name}_project", activation=None)
    if stride == 1 and shortcut.shape[-1] == width:
        x = layers.Add(name=f"{name}_add")([shortcut, x])
    return Unit(depthwise, x)
