"""MobileNetV2 + encoder head + bilinear decoder: what the paper compares its network with."""

from __future__ import annotations

from ..engine import keras, layers
from ..heads import segmentation_head
from .backbone import mobilenet_v2_backbone


def mobilenet_v2_segmentation(
    num_classes: int,
    head: str = "basic",
    input_size: tuple[int, int] | None = None,
    output_stride: int = 16,
    align_corners: bool = False,
    head_width: int = 256,
    projection_width: int = 256,
    decoder_stride: int | None = None,
    decoder_width: int = 64,
    dropout: float = 0.1,
    backbone_momentum: float = 0.997,
    head_momentum: float = 0.9997,
    upsample: bool = True,
) -> keras.Model:
    """Türkmen & Heikkilä, tables 2 and 5, rows MobileNetV2: image → logits at every pixel.

    Args and result: as of `shufflenet_v2_segmentation`, whose heads these are.

    Raises:
        ValueError: an argument is out of its range.
    """
    width, height = input_size or (None, None)
    image = keras.Input((height, width, 3), name="image")
    x = layers.Rescaling(2.0 / 255.0, offset=-1.0, name="preprocessing")(image)
    pyramid = mobilenet_v2_backbone(x, output_stride, backbone_momentum)
    x = segmentation_head(
        image,
        pyramid,
        num_classes,
        head=head,
        output_stride=output_stride,
        align_corners=align_corners,
        head_width=head_width,
        projection_width=projection_width,
        decoder_stride=decoder_stride,
        decoder_width=decoder_width,
        dropout=dropout,
        momentum=head_momentum,
        upsample=upsample,
    )
    return keras.Model(image, x, name=f"mobilenet_v2_{head}")
