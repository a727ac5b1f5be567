"""The "basic" encoder head: DeepLabv3's image-level branch beside a 1×1 branch.

Türkmen & Heikkilä, figure 4; Chen et al., "Rethinking Atrous Convolution" (arXiv:1706.05587).
"""

from __future__ import annotations

from ..blocks import ConvNormAct, ResizeLike
from ..engine import layers


def basic_head(features, conv: ConvNormAct, align_corners: bool = False, width: int = 256):
    """Image pooling → 1×1 → back to size, beside a 1×1 of every position.

    Args:
        features: [B, h, w, C] backbone features.
        conv: the head's batch-norm settings.
        align_corners: see `ResizeLike` (from 1×1 both conventions give the same).
        width: channels of each branch (the paper's 256).

    Returns:
        [B, h, w, 2 · width].
    """
    pooled = layers.GlobalAveragePooling2D(keepdims=True, name="image_pool")(features)
    pooled = conv.pointwise(pooled, width, name="image_pool_conv1x1")
    pooled = ResizeLike(align_corners, name="image_pool_resize")([pooled, features])
    local = conv.pointwise(features, width, name="aspp0_conv1x1")
    return layers.Concatenate(name="head_concat")([pooled, local])
