"""BiSeNet V2.

Yu et al., "BiSeNet V2: Bilateral Network with Guided Aggregation for Real-time Semantic
Segmentation" (arXiv:2004.02147), table 1, figures 4 to 6; without the booster's heads, which exist
in training only.

The authors published no code, and the paper leaves open:

- The head's channels. 1024 here, as in CoinCheung/BiSeNet and mmsegmentation, with which these
  reproduce the paper's mIoU; `head_width` takes others.
- Where a gather-and-expansion layer expands. The text has its 3×3 convolution do so
  (`expansion="convolution"`, four times the work); those implementations, and hence the default
  here, its depthwise convolution. Theirs is the 3.4 M parameters that are quoted. The 21.15 GFLOPs
  of the paper (multiply-accumulates, at 1024×512) are met by neither exactly: 24.6 by the default,
  20.3 by the convolution and a head of 256 channels.
- Batch norm and ReLU behind the context embedding's and the aggregation's last convolution and
  behind the expansion, which the figures lack and those implementations have.

The aggregation's gates are enlarged bilinearly, as in mmsegmentation (CoinCheung: nearest).
Average pooling leaves out the padding, and convolutions pad as TensorFlow's 'same'.
"""

from __future__ import annotations

from .blocks import ConvNormAct, ResizeLike, check_shares
from .engine import layers

#: Channels of the convolutions of each stage of the detail branch; the first has stride 2.
DETAIL_STAGES = ((64, 64), (64, 64, 64), (128, 128, 128))
STEM_WIDTH = 16
#: (channels, units) of the semantic branch's stages 3 to 5, whose first units have stride 2.
SEMANTIC_STAGES = ((32, 2), (64, 2), (128, 4))
#: Channels of both branches where they meet.
WIDTH = 128
EXPANSION = 6
EXPANSIONS = ("depthwise", "convolution")


def bisenet_v2(
    inputs,
    num_classes: int,
    head_width: int = 1024,
    expansion: str = "depthwise",
    dropout: float = 0.1,
    align_corners: bool = False,
    batch_norm_momentum: float = 0.99,
):
    """A wide and shallow branch of details, a narrow and deep one of semantics, aggregated.

    The paper's booster has auxiliary heads on the semantic branch: layers `stem_fuse_activation`,
    `semantic3_unit2_activation`, `semantic4_unit2_activation` and `semantic5_unit4_activation`.

    Args:
        inputs: [B, H, W, 3] in [-1, 1].
        num_classes: depth of the logits.
        head_width: channels before the classifier, at least 1.
        expansion: what expands the channels of a gather-and-expansion layer, `depthwise` or
            `convolution`, see above.
        dropout: share of the features that the classifier does not see while training.
        align_corners: convention of the bilinear resizes, see `ResizeLike`.
        batch_norm_momentum: of every batch norm here.

    Returns:
        float32 logits [B, ceil(H / 8), ceil(W / 8), num_classes].

    Raises:
        ValueError: an argument is out of its range.
    """
    if head_width < 1:
        raise ValueError(f"head_width {head_width} is below 1")
    if expansion not in EXPANSIONS:
        raise ValueError(f"expansion {expansion!r} is not in {list(EXPANSIONS)}")
    check_shares(dropout=dropout)
    conv = ConvNormAct(batch_norm_momentum, 1e-5)
    details = _detail_branch(inputs, conv)
    semantics = _semantic_branch(inputs, conv, expansion)
    x = _guided_aggregation(details, semantics, conv, align_corners)
    x = conv.conv(x, head_width, 3, name="head_conv")
    x = layers.Dropout(dropout, name="dropout")(x)
    return layers.Conv2D(num_classes, 1, name="logits", dtype="float32")(x)


def _detail_branch(x, conv):
    """[B, H, W, 3] → [B, ceil(H / 8), ceil(W / 8), 128]."""
    for stage, widths in enumerate(DETAIL_STAGES, start=1):
        for unit, width in enumerate(widths, start=1):
            stride = 2 if unit == 1 else 1
            x = conv.conv(x, width, 3, name=f"detail{stage}_conv{unit}", stride=stride)
    return x


def _semantic_branch(x, conv, expansion: str):
    """[B, H, W, 3] → [B, ceil(H / 32), ceil(W / 32), 128]."""
    x = _stem(x, conv)
    for stage, (width, count) in enumerate(SEMANTIC_STAGES, start=3):
        for unit in range(1, count + 1):
            stride = 2 if unit == 1 else 1
            x = _gather_and_expand(x, width, conv, stride, expansion, f"semantic{stage}_unit{unit}")
    return _context_embedding(x, conv)


def _stem(x, conv):
    """Figure 4(a): two ways down to stride 4, side by side."""
    x = conv.conv(x, STEM_WIDTH, 3, name="stem_conv", stride=2)
    left = conv.pointwise(x, STEM_WIDTH // 2, name="stem_left_conv1x1")
    left = conv.conv(left, STEM_WIDTH, 3, name="stem_left_conv3x3", stride=2)
    right = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_right_pool")(x)
    x = layers.Concatenate(name="stem_concat")([left, right])
    return conv.conv(x, STEM_WIDTH, 3, name="stem_fuse")


def _gather_and_expand(x, width: int, conv, stride: int, expansion: str, name: str):
    """Figure 5: 3×3 convolution, depthwise 3×3 over 6 times the channels, 1×1 to `width`.

    One that halves the size has two depthwise convolutions, and one in its shortcut.
    """
    shortcut, channels = x, x.shape[-1]
    by_convolution = expansion == "convolution"
    x = conv.conv(x, channels * (EXPANSION if by_convolution else 1), 3, name=f"{name}_gather")
    multiplier = 1 if by_convolution else EXPANSION
    if stride == 2:
        x = _depthwise(x, multiplier, conv, 2, None, f"{name}_depthwise_down")
        multiplier = 1
        shortcut = conv.depthwise(
            shortcut, stride=2, name=f"{name}_shortcut_depthwise", activation=None
        )
        shortcut = conv.pointwise(shortcut, width, name=f"{name}_shortcut_conv1x1", activation=None)
    x = _depthwise(x, multiplier, conv, 1, "relu", f"{name}_depthwise")
    x = conv.pointwise(x, width, name=f"{name}_project", activation=None)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_activation")(x)


def _depthwise(x, multiplier: int, conv, stride: int, activation, name: str):
    """Depthwise 3×3 with `multiplier` filters for each channel."""
    x = layers.DepthwiseConv2D(
        3,
        strides=stride,
        depth_multiplier=multiplier,
        padding="same",
        use_bias=False,
        name=name,
    )(x)
    return conv.norm(x, name, activation)


def _context_embedding(x, conv):
    """Figure 4(b): the mean of the image added to every position."""
    context = layers.GlobalAveragePooling2D(keepdims=True, name="context_pool")(x)
    context = conv.norm(context, "context_pool")
    context = conv.pointwise(context, WIDTH, name="context_conv1x1")
    x = layers.Add(name="context_add")([x, context])
    return conv.conv(x, WIDTH, 3, name="context_conv3x3")


def _guided_aggregation(details, semantics, conv, align_corners: bool):
    """Figure 6: each branch gates the other at both of their sizes; stride 8."""
    fine = _linear_separable(details, conv, "aggregation_detail_fine")
    coarse = conv.conv(
        details, WIDTH, 3, name="aggregation_detail_coarse", stride=2, activation=None
    )
    coarse = layers.AveragePooling2D(
        3, strides=2, padding="same", name="aggregation_detail_coarse_pool"
    )(coarse)
    fine_gate = conv.conv(semantics, WIDTH, 3, name="aggregation_semantic_fine", activation=None)
    fine_gate = ResizeLike(align_corners, name="aggregation_semantic_fine_resize")(
        [fine_gate, details]
    )
    coarse_gate = _linear_separable(semantics, conv, "aggregation_semantic_coarse")
    fine = _gated(fine, fine_gate, "aggregation_fine")
    coarse = _gated(coarse, coarse_gate, "aggregation_coarse")
    coarse = ResizeLike(align_corners, name="aggregation_coarse_resize")([coarse, fine])
    x = layers.Add(name="aggregation_add")([fine, coarse])
    return conv.conv(x, WIDTH, 3, name="aggregation_conv")


def _linear_separable(x, conv, name: str):
    """Depthwise 3×3 with batch norm, 1×1 without one."""
    x = conv.depthwise(x, name=f"{name}_depthwise", activation=None)
    return layers.Conv2D(WIDTH, 1, use_bias=False, name=f"{name}_conv1x1")(x)


def _gated(x, gate, name: str):
    gate = layers.Activation("sigmoid", name=f"{name}_gate")(gate)
    return layers.Multiply(name=f"{name}_multiply")([x, gate])
