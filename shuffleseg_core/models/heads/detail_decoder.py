"""A light decoder that takes edges and thin things from the backbone's earlier features.

The paper's stated future work (section 5) in the manner of DeepLabv3+ (arXiv:1802.02611), made
cheap: what comes from the head is narrowed before it is enlarged, and what fuses is separable.
"""

from __future__ import annotations

from ..blocks import ConvNormAct, ResizeLike
from ..engine import layers

STRIDES = (4, 8)


def detail_decoder(
    context,
    details: dict,
    stride: int,
    width: int,
    conv: ConvNormAct,
    align_corners: bool = False,
):
    """From coarse features to finer ones, one step for each stride that the backbone has between.

    Args:
        context: [B, h, w, C], the head's projected features.
        details: stride → features of the backbone, all finer than `context`.
        stride: to end at; 4 or 8.
        width: channels of the result; details are projected to half of it.
        conv: the batch-norm settings.
        align_corners: see `ResizeLike`.

    Returns:
        [B, ceil(H / stride), ceil(W / stride), width].

    Raises:
        ValueError: the stride is not 4 or 8, or not finer than the context's; or the width is
            below 2.
    """
    if stride not in STRIDES:
        raise ValueError(f"decoder_stride {stride} is not in {list(STRIDES)}")
    if stride not in details:
        raise ValueError(f"decoder_stride {stride} is not below the output_stride")
    if width < 2:
        raise ValueError(f"decoder_width {width} is below 2")
    x = context
    for finer in sorted((s for s in details if s >= stride), reverse=True):
        name = f"decoder{finer}"
        detail = conv.pointwise(details[finer], width // 2, name=f"{name}_detail_conv1x1")
        x = conv.pointwise(x, width, name=f"{name}_context_conv1x1")
        x = ResizeLike(align_corners, name=f"{name}_context_resize")([x, detail])
        x = layers.Concatenate(name=f"{name}_concat")([x, detail])
        x = conv.depthwise(x, name=f"{name}_depthwise")
        x = conv.pointwise(x, width, name=f"{name}_conv1x1")
    return x
