"""SeaFormer with its light segmentation head.

Wan et al., "SeaFormer: Squeeze-enhanced Axial Transformer for Mobile Semantic Segmentation"
(arXiv:2301.13156); the head as in the authors' code (fudan-zvg/SeaFormer,
seaformer-seg, `LightHead`), whose last convolution before the classifier has one weight a channel.

Deviations, besides those of `axial_attention`: the image is in [-1, 1] (equation 1 of this
package), not normed by ImageNet's statistics.
"""

from __future__ import annotations

from ..blocks import ConvNormAct, ResizeLike, check_shares
from ..engine import layers
from .backbone import SIZES, Size, seaformer_backbone


def seaformer_small(inputs, num_classes: int, **options):
    """SeaFormer-Small with its light head: see `seaformer_segmentation`."""
    return seaformer_segmentation(inputs, num_classes, SIZES["small"], **options)


def seaformer_segmentation(
    inputs,
    num_classes: int,
    size: Size,
    dropout: float = 0.1,
    drop_path: float = 0.1,
    batch_norm_momentum: float = 0.99,
    align_corners: bool = False,
):
    """SeaFormer up to its logits.

    The authors train no auxiliary head. For one, `stage2_unit2_add` (1/8),
    `stage4_block3_output` (1/32) and `stage5_block3_output` (1/64) end the stages that the head
    reads (`…_block2_output` in tiny, 4 in base).

    Args:
        inputs: [B, H, W, 3] tensor, values in [-1, 1].
        num_classes: depth of the logits.
        size: one of `SIZES`.
        dropout: share of the channels before the classifier dropped while training.
        drop_path: see `seaformer_backbone`.
        batch_norm_momentum: of every batch norm (the authors' is 0.9 in Keras's sense).
        align_corners: convention of the bilinear resizes of the images, see `ResizeLike`. Learned
            positions are always resized with half-pixel centres.

    Returns:
        Float logits [B, ceil(H / 8), ceil(W / 8), num_classes].

    Raises:
        ValueError: dropout or drop_path is not in [0, 1).
    """
    check_shares(dropout=dropout, drop_path=drop_path)
    x, *contexts = seaformer_backbone(inputs, size, drop_path, batch_norm_momentum)
    conv = ConvNormAct(batch_norm_momentum, 1e-5)
    for fusion, (context, width) in enumerate(zip(contexts, size.head_widths), start=1):
        x = _fuse(x, context, width, conv, align_corners, f"fusion{fusion}")
    x = conv.depthwise(x, kernel_size=1, name="head_depthwise")
    x = layers.SpatialDropout2D(dropout, name="dropout")(x)
    return layers.Conv2D(num_classes, 1, name="logits", dtype="float32")(x)


def _fuse(x, context, width, conv, align_corners, name):
    """Details, gated by the context."""
    detail = conv.pointwise(x, width, name=f"{name}_detail", activation=None)
    gate = conv.pointwise(context, width, name=f"{name}_context", activation="hard_sigmoid")
    gate = ResizeLike(align_corners, name=f"{name}_resize")([gate, detail])
    return layers.Multiply(name=f"{name}_gated")([detail, gate])
