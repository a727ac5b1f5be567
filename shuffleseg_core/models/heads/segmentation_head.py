"""From a backbone's features to logits: encoder head, projection, decoder, classifier."""

from __future__ import annotations

from ..blocks import ConvNormAct
from ..engine import layers
from .basic_head import basic_head
from .detail_decoder import detail_decoder
from .dpc_head import dpc_head

HEADS = ("basic", "dpc")


def segmentation_head(
    pyramid: dict,
    num_classes: int,
    head: str = "basic",
    output_stride: int = 16,
    align_corners: bool = False,
    head_width: int = 256,
    projection_width: int = 256,
    decoder_stride: int | None = None,
    decoder_width: int = 64,
    detail_width: int | None = None,
    decoder_units: int = 1,
    dropout: float = 0.1,
    head_momentum: float = 0.9997,
):
    """Türkmen & Heikkilä, table 1, behind the backbone.

    Args:
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
        decoder_width, detail_width, decoder_units: of that decoder, see `detail_decoder`.
        dropout: share of the projected features dropped while training (the paper keeps 0.9).
        head_momentum: of the batch norms. The official implementation's needs hundreds of
            thousands of steps; a short training needs faster statistics, about 0.99.

    Returns:
        Float logits [B, ceil(H / stride), ceil(W / stride), num_classes] at output stride, or at
        decoder_stride.

    Raises:
        ValueError: an argument is out of its range.
    """
    if head not in HEADS:
        raise ValueError(f"head {head!r} is not in {list(HEADS)}")
    features = pyramid[output_stride]
    conv = ConvNormAct(momentum=head_momentum, epsilon=1e-5)
    if head == "basic":
        x = basic_head(features, conv, align_corners, head_width)
    else:
        x = dpc_head(features, conv, output_stride, head_width)
    x = conv.pointwise(x, projection_width, name="projection_conv1x1")
    if detail_width and decoder_stride is None:
        raise ValueError("detail_width needs a decoder_stride of 2 or 4")
    if decoder_stride is not None:
        details = {stride: pyramid[stride] for stride in pyramid if stride < output_stride}
        x = detail_decoder(
            x, details, decoder_stride, decoder_width, conv, align_corners, detail_width,
            decoder_units,
        )
    x = layers.Dropout(dropout, name="dropout")(x)
    return layers.Conv2D(num_classes, 1, name="logits", dtype="float32")(x)
