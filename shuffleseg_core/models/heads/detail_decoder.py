"""A light decoder that takes edges and thin things from the backbone's earlier features.

The paper's stated future work (section 5) in the manner of DeepLabv3+ (arXiv:1802.02611), made
cheap: what comes from the head is narrowed before it is enlarged, and what fuses is separable.
"""

from __future__ import annotations

from ..blocks import ConvNormAct, ResizeLike
from ..engine import layers

STRIDES = (2, 4, 8)


def detail_decoder(
    context,
    details: dict,
    stride: int,
    width: int,
    conv: ConvNormAct,
    align_corners: bool = False,
    detail_width: int | None = None,
    units: int = 1,
):
    """From coarse features to finer ones, one step for each stride that the backbone has between.

    Args:
        context: [B, h, w, C], the head's projected features.
        details: stride → features of the backbone, all finer than `context`.
        stride: to end at; 2, 4 or 8.
        width: channels of the result; details are projected to half of it. At stride 2, where an
            image has four times the positions of stride 4, both are halved again.
        conv: the batch-norm settings.
        align_corners: see `ResizeLike`.
        detail_width: channels of a detail branch that takes the place of the backbone's features
            of stride 4, which are no more than the stem's maxima: see `_detail_branch`.
        units: separable convolutions that join what comes from both sides.

    Returns:
        [B, ceil(H / stride), ceil(W / stride), width], or width // 2 channels at stride 2.

    Raises:
        ValueError: the stride is not 2, 4 or 8, or not finer than the context's; or the width is
            below 2.
    """
    if stride not in STRIDES:
        raise ValueError(f"decoder_stride {stride} is not in {list(STRIDES)}")
    if stride not in details:
        raise ValueError(f"decoder_stride {stride} is not below the output_stride")
    if width < (4 if stride == 2 else 2):
        raise ValueError(f"decoder_width {width} is below {4 if stride == 2 else 2}")
    if units < 1:
        raise ValueError(f"decoder_units {units} is below 1")
    if detail_width and stride > 4:
        raise ValueError(f"detail_width goes with decoder_stride 2 or 4, not {stride}")
    x = context
    for finer in sorted((s for s in details if s >= stride), reverse=True):
        name = f"decoder{finer}"
        out = width if finer > 2 else width // 2
        if finer == 4 and detail_width:
            detail = _detail_branch(details[2], detail_width, conv, name)
        else:
            detail = conv.pointwise(details[finer], out // 2, name=f"{name}_detail_conv1x1")
        x = conv.pointwise(x, out, name=f"{name}_context_conv1x1")
        x = ResizeLike(align_corners, name=f"{name}_context_resize")([x, detail])
        x = layers.Concatenate(name=f"{name}_concat")([x, detail])
        for unit in range(units):
            suffix = f"{unit + 1}" if unit else ""
            x = conv.depthwise(x, name=f"{name}_depthwise{suffix}")
            x = conv.pointwise(x, out, name=f"{name}_conv1x1{suffix}")
    return x


def _detail_branch(stem, width: int, conv: ConvNormAct, name: str):
    """The stem's features of stride 2 brought to stride 4 by weights of their own.

    A maximum of 24 channels, as the backbone takes it, leaves little of what is one or two pixels
    wide. [B, 2h, 2w, 24] → [B, h, w, width].
    """
    x = conv.conv(stem, width, 3, stride=2, name=f"{name}_detail_conv3x3")
    x = conv.depthwise(x, name=f"{name}_detail_depthwise")
    return conv.pointwise(x, width, name=f"{name}_detail_conv1x1")
