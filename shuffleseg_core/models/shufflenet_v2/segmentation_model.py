"""ShuffleNet V2 + encoder head + bilinear decoder: the network of the paper."""

from __future__ import annotations

from ..engine import keras, layers
from ..heads import segmentation_head
from .backbone import shufflenet_v2_backbone


def shufflenet_v2_segmentation(
    num_classes: int,
    head: str = "basic",
    input_size: tuple[int, int] | None = None,
    depth_multiplier: float = 1.0,
    output_stride: int = 16,
    stage4_rate_1: bool = False,
    unit_variant: str = "mobile_segmentation",
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
    """Türkmen & Heikkilä, table 1: image → logits of every class at every pixel.

    Args:
        num_classes: depth of the logits.
        input_size: (width, height) in pixels, or None for any size.
        depth_multiplier, output_stride, stage4_rate_1, unit_variant: see
            `shufflenet_v2_backbone`.
        head, align_corners, head_width, projection_width, decoder_stride, decoder_width, dropout,
        upsample: see `segmentation_head`.
        backbone_momentum, head_momentum: of the batch norms. The defaults are the official
            implementation's and need hundreds of thousands of steps; a short training
            needs faster statistics, about 0.99.

    Returns:
        A model from images [B, H, W, 3], values 0–255, to float logits
        [B, H, W, num_classes] (or [B, ceil(H/stride), ceil(W/stride), num_classes]).
        Equation 1 (x · 2/255 − 1) is its first layer. With `upsample`, the logits before
        the resize are the output of the layer named "logits".

    Raises:
        ValueError: an argument is out of its range.
    """
    width, height = input_size or (None, None)
    image = keras.Input((height, width, 3), name="image")
    x = layers.Rescaling(2.0 / 255.0, offset=-1.0, name="preprocessing")(image)
    pyramid = shufflenet_v2_backbone(
        x,
        depth_multiplier=depth_multiplier,
        output_stride=output_stride,
        stage4_rate_1=stage4_rate_1,
        unit_variant=unit_variant,
        batch_norm_momentum=backbone_momentum,
    )
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
    return keras.Model(image, x, name=f"shufflenet_v2_{head}")
