"""From a backbone's features to logits: encoder head, projection, decoder, classifier."""

from __future__ import annotations

from ..blocks import ConvNormAct, ResizeLike
from ..engine import layers
from .basic_head import basic_head
from .detail_decoder import detail_decoder
from .dpc_head import dpc_head

HEADS = ("basic", "dpc")


def segmentation_head(
    image,
    pyramid: dict,
    num_classes: int,
    head: str = "basic",
    output_stride: int = 16,
    align_corners: bool = False,
    head_width: int = 256,
    projection_width: int = 256,
    decoder_stride: int | None = None,
    decoder_width: int = 64,
    dropout: float = 0.1,
    momentum: float = 0.9997,
    upsample: bool = True,
):
    """Türkmen & Heikkilä, table 1, behind the backbone.

    Args:
        image: [B, H, W, 3], for its size alone.
        pyramid: stride → features [B, ceil(H / stride), ceil(W / stride), C], as the backbones
            here return them.
        num_classes: depth of the logits.
        head: `basic` or `dpc`.
        output_stride: of the features that the head takes.
        align_corners: convention of the bilinear resizes, see `ResizeLike`.
        head_width: channels of each of the head's branches (the paper's 256).
        projection_width: channels that the head's features are projected to (the paper's 256).
        decoder_stride: a stride below output_stride that a light decoder brings the features
            back to, see `detail_decoder`; None has the paper's decoder, a bilinear resize.
        decoder_width: channels of that decoder.
        dropout: share of the projected features dropped while training (the paper keeps 0.9).
        momentum: of the batch norms.
        upsample: end with logits at the image's size; False ends at output stride, or at
            decoder_stride.

    Returns:
        Float logits [B, H, W, num_classes] or [B, ceil(H/stride), ceil(W/stride), num_classes].
        With `upsample`, those before the resize are the output of the layer named "logits".

    Raises:
        ValueError: an argument is out of its range.
    """
    if head not in HEADS:
        raise ValueError(f"head {head!r} is not in {list(HEADS)}")
    features = pyramid[output_stride]
    conv = ConvNormAct(momentum=momentum, epsilon=1e-5)
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
    return x
