"""Fast-SCNN.

Poudel, Liwicki, Cipolla, "Fast-SCNN: Fast Semantic Segmentation Network" (arXiv:1902.04502), table
1, with the bottlenecks of table 2 and the feature fusion of table 3.

Where the paper is silent: the branches of the pyramid pooling have 1, 2, 3 and 6 bins and a
quarter of the channels each (PSPNet, from which it takes the module), as every implementation has
it, and the share of dropout is 0.1. Convolutions pad as TensorFlow's 'same'.
"""

from __future__ import annotations

from .adaptive_pooling import AdaptiveAveragePooling
from .blocks import ConvNormAct, ResizeLike, check_shares
from .engine import layers
from .inverted_residual import inverted_residual

#: Channels of the three convolutions of "learning to downsample", each of stride 2.
DOWNSAMPLE_WIDTHS = (32, 48, 64)
EXPANSION = 6
#: (channels, units, stride) of the global feature extractor's bottlenecks.
BOTTLENECKS = ((64, 3, 2), (96, 3, 2), (128, 3, 1))
POOLING_BINS = (1, 2, 3, 6)
#: Channels from the pyramid pooling on.
WIDTH = 128
FUSION_RATE = 4


def fast_scnn(
    inputs,
    num_classes: int,
    dropout: float = 0.1,
    align_corners: bool = False,
    batch_norm_momentum: float = 0.99,
):
    """Two branches that share their first layers; classifies at stride 8.

    The paper's auxiliary losses (weight 0.4 each) are at the ends of learning to downsample and of
    the global feature extractor: layers `downsample3_pointwise_activation` and
    `pyramid_project_activation`.

    Args:
        inputs: [B, H, W, 3] in [-1, 1].
        num_classes: depth of the logits.
        dropout: share of the features that the classifier does not see while training.
        align_corners: convention of the bilinear resizes, see `ResizeLike`.
        batch_norm_momentum: of every batch norm here.

    Returns:
        float32 logits [B, ceil(H / 8), ceil(W / 8), num_classes].

    Raises:
        ValueError: dropout is not in [0, 1).
    """
    check_shares(dropout=dropout)
    conv = ConvNormAct(batch_norm_momentum)
    details = _learning_to_downsample(inputs, conv)
    context = _global_feature_extractor(details, conv, align_corners)
    x = _feature_fusion(details, context, conv, align_corners)
    for unit in (1, 2):
        x = _separable(x, WIDTH, conv, name=f"classifier{unit}")
    x = layers.Dropout(dropout, name="dropout")(x)
    return layers.Conv2D(num_classes, 1, name="logits", dtype="float32")(x)


def _learning_to_downsample(x, conv):
    """Section 3.2.1: [B, H, W, 3] → [B, ceil(H / 8), ceil(W / 8), 64]."""
    first, *others = DOWNSAMPLE_WIDTHS
    x = conv.conv(x, first, 3, name="downsample1", stride=2)
    for unit, width in enumerate(others, start=2):
        x = _separable(x, width, conv, name=f"downsample{unit}", stride=2)
    return x


def _global_feature_extractor(x, conv, align_corners: bool):
    """Section 3.2.2: features of stride 8 → [B, ceil(H / 32), ceil(W / 32), 128]."""
    for stage, (width, count, stage_stride) in enumerate(BOTTLENECKS, start=1):
        for unit in range(1, count + 1):
            stride = stage_stride if unit == 1 else 1
            name = f"bottleneck{stage}_unit{unit}"
            expanded = EXPANSION * x.shape[-1]
            x = inverted_residual(x, expanded, width, conv, name, stride=stride).output
    return _pyramid_pooling(x, conv, align_corners)


def _pyramid_pooling(x, conv, align_corners: bool):
    """Means of regions of several sizes beside the features themselves, then 1×1."""
    branches = [x]
    for bins in POOLING_BINS:
        pooled = AdaptiveAveragePooling(bins, name=f"pyramid{bins}_pool")(x)
        pooled = conv.pointwise(
            pooled, x.shape[-1] // len(POOLING_BINS), name=f"pyramid{bins}_conv1x1"
        )
        branches.append(ResizeLike(align_corners, name=f"pyramid{bins}_resize")([pooled, x]))
    x = layers.Concatenate(name="pyramid_concat")(branches)
    return conv.pointwise(x, WIDTH, name="pyramid_project")


def _feature_fusion(details, context, conv, align_corners: bool):
    """Table 3: the context at the details' size, both by 1×1 to the same channels, added."""
    context = ResizeLike(align_corners, name="fusion_resize")([context, details])
    context = conv.depthwise(context, rate=FUSION_RATE, name="fusion_context_depthwise")
    context = conv.pointwise(context, WIDTH, name="fusion_context_conv1x1", activation=None)
    details = conv.pointwise(details, WIDTH, name="fusion_details_conv1x1", activation=None)
    x = layers.Add(name="fusion_add")([details, context])
    return layers.Activation("relu", name="fusion_activation")(x)


def _separable(x, width: int, conv, name: str, stride: int = 1):
    """Depthwise 3×3, 1×1; without a nonlinearity between them (section 3.2.1)."""
    x = conv.depthwise(x, stride=stride, name=f"{name}_depthwise", activation=None)
    return conv.pointwise(x, width, name=f"{name}_pointwise")
