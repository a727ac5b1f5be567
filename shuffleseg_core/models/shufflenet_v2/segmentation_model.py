"""ShuffleNet V2 + encoder head + bilinear decoder: the network of the paper."""

from __future__ import annotations

from ..blocks import ConvNormAct, ResizeLike
from ..engine import keras, layers
from .backbone import shufflenet_v2_backbone
from .basic_head import basic_head
from .detail_decoder import detail_decoder
from .dpc_head import dpc_head

HEADS = ("basic", "dpc")


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
        head: `basic` or `dpc`.
        input_size: (width, height) in pixels, or None for any size.
        depth_multiplier, output_stride, stage4_rate_1, unit_variant: see
            `shufflenet_v2_backbone`.
        align_corners: convention of the bilinear resizes, see `ResizeLike`.
        head_width: channels of each of the head's branches (the paper's 256).
        projection_width: channels that the head's features are projected to (the paper's 256).
        decoder_stride: a stride below output_stride that a light decoder brings the features
            back to, see `detail_decoder`; None has the paper's decoder, a bilinear resize.
        decoder_width: channels of that decoder.
        dropout: share of the projected features dropped while training (the paper keeps 0.9).
        backbone_momentum, head_momentum: of the batch norms. The defaults are the official
            implementation's and need hundreds of thousands of steps; a short training
            needs faster statistics, about 0.99.
        upsample: end with logits at the input's size; False ends at output stride, or at
            decoder_stride.

    Returns:
        A model from images [B, H, W, 3], values 0–255, to float logits
        [B, H, W, num_classes] (or [B, ceil(H/stride), ceil(W/stride), num_classes]).
        Equation 1 (x · 2/255 − 1) is its first layer. With `upsample`, the logits before
        the resize are the output of the layer named "logits".

    Raises:
        ValueError: an argument is out of its range.
    """
    if head not in HEADS:
        raise ValueError(f"head {head!r} is not in {list(HEADS)}")
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
    features = pyramid[output_stride]
    conv = ConvNormAct(momentum=head_momentum, epsilon=1e-5)
    if head == "basic":
        x = basic_head(features, conv, align_corners, head_width)
    else:
        x = dpc_head(features, conv, output_stride, head_width)
    x = conv.pointwise(x, projection_width, name="projection_conv1x1")
    if decoder_stride is not None:
        details = {stride: pyramid[stride] for stride in pyramid if stride < output_stride}
        x = detail_decoder(x, details, decoder_stride, decoder_width, conv, align_corners)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Conv2D(num_classes, 1, name="logits", dtype="float32")(x)
    if upsample:
        x = ResizeLike(align_corners, name="upsample", dtype="float32")([x, image])
    return keras.Model(image, x, name=f"shufflenet_v2_{head}")
