"""MobileNetV2 + encoder head: what the paper compares its network with."""

from __future__ import annotations

from ..heads import segmentation_head
from .backbone import mobilenet_v2_backbone


def mobilenet_v2_segmentation(
    inputs,
    num_classes: int,
    output_stride: int = 16,
    backbone_momentum: float = 0.997,
    **head_options,
):
    """Türkmen & Heikkilä, tables 2 and 5, rows MobileNetV2, up to the logits.

    Args and result: as of `shufflenet_v2_segmentation`, whose heads these are.

    Raises:
        ValueError: an argument is out of its range.
    """
    pyramid = mobilenet_v2_backbone(inputs, output_stride, backbone_momentum)
    return segmentation_head(pyramid, num_classes, output_stride=output_stride, **head_options)
