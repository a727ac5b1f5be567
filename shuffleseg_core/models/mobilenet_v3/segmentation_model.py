"""LR-ASPP on MobileNetV3-Large.

Howard et al., "Searching for MobileNetV3" (arXiv:1905.02244), figure 10 and table 7.
Figure 10 leaves open which features at 1/8 the second classifier reads; the default is as in the
authors' code (tensorflow/models, research/deeplab, `mobilenet_v3_large_seg`).

Deviations:
- The context is pooled over the whole image, as in torchvision. The paper pools 49×49 windows
  with stride (16, 20), for images of 1024×2048 alone.
- The two classifiers whose logits the paper adds are one 1×1 convolution over the concatenated
  features, which is the same sum with one bias.
"""

from __future__ import annotations

from ..blocks import ConvNormAct, ResizeLike
from ..engine import layers
from .backbone import mobilenet_v3_large_backbone

VARIANTS = ("deeplab", "torchvision")


def lraspp_segmentation(
    inputs,
    num_classes: int,
    output_stride: int = 16,
    halved_tail: bool = True,
    head_width: int = 128,
    variant: str = "deeplab",
    align_corners: bool = False,
    batch_norm_momentum: float = 0.99,
):
    """Table 7, row V3 with RF2, SH and F 128, up to the logits.

    Layers of use to an auxiliary head: `stage5_unit2_add` (stride 16), `stage4_unit4_add`.

    Args:
        inputs: [B, H, W, 3] in [-1, 1].
        num_classes: depth of the logits.
        output_stride: of the features that the head takes: 8, 16 or 32.
        halved_tail: half the channels in the last stage ("RF2"). torchvision's
            lraspp_mobilenet_v3_large has all of them.
        head_width: channels of the head ("F": 128 or 256).
        variant: `deeplab`: details are the 120 channels of the depthwise convolution in the last
            unit at 1/8. `torchvision`: they are the 40 channels of the first unit there, the
            context's convolution has no bias, and a stage that loses its stride has the atrous
            rate from its first unit on.
        align_corners: convention of the bilinear resizes, see `ResizeLike`.
        batch_norm_momentum: of every batch norm.

    Returns:
        Float logits [B, ceil(H / 8), ceil(W / 8), num_classes].

    Raises:
        ValueError: an argument is out of its range.
    """
    if variant not in VARIANTS:
        raise ValueError(f"variant {variant!r} is not in {list(VARIANTS)}")
    if head_width < 1:
        raise ValueError(f"head_width {head_width} is below 1")
    as_torchvision = variant == "torchvision"
    x, units = mobilenet_v3_large_backbone(
        inputs, output_stride, halved_tail, as_torchvision, batch_norm_momentum
    )
    details = units[3, 1].output if as_torchvision else units[3, 3].depthwise
    conv = ConvNormAct(batch_norm_momentum, 1e-5)
    scale = layers.GlobalAveragePooling2D(keepdims=True, name="head_pool")(x)
    scale = layers.Conv2D(head_width, 1, use_bias=not as_torchvision, name="head_scale")(scale)
    scale = layers.Activation("sigmoid", name="head_scale_activation")(scale)
    x = conv.pointwise(x, head_width, name="head_conv1x1")
    x = layers.Multiply(name="head_scaled")([x, scale])
    x = ResizeLike(align_corners, name="head_upsample")([x, details])
    x = layers.Concatenate(name="head_concat")([x, details])
    return layers.Conv2D(num_classes, 1, name="logits", dtype="float32")(x)
