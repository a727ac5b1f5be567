"""ShuffleNet V2 + encoder head: the network of the paper."""

from __future__ import annotations

from ..heads import segmentation_head
from .backbone import shufflenet_v2_backbone


def shufflenet_v2_segmentation(
    inputs,
    num_classes: int,
    depth_multiplier: float = 1.0,
    output_stride: int = 16,
    stage4_rate_1: bool = False,
    unit_variant: str = "mobile_segmentation",
    backbone_momentum: float = 0.997,
    **head_options,
):
    """Türkmen & Heikkilä, table 1, up to the logits.

    Args:
        inputs: [B, H, W, 3] in [-1, 1].
        num_classes: depth of the logits.
        depth_multiplier, output_stride, stage4_rate_1, unit_variant: see
            `shufflenet_v2_backbone`.
        backbone_momentum: of the backbone's batch norms; the default is the official
            implementation's, see head_momentum.
        **head_options: of `segmentation_head`.

    Returns:
        Float logits, see `segmentation_head`.

    Raises:
        ValueError: an argument is out of its range.
    """
    pyramid = shufflenet_v2_backbone(
        inputs,
        depth_multiplier=depth_multiplier,
        output_stride=output_stride,
        stage4_rate_1=stage4_rate_1,
        unit_variant=unit_variant,
        batch_norm_momentum=backbone_momentum,
    )
    return segmentation_head(pyramid, num_classes, output_stride=output_stride, **head_options)
