"""PP-MobileSeg-Tiny: StrideFormer, the aggregated attention module, a classifier at 1/16.

Tang et al., "PP-MobileSeg: Explore the Fast and Accurate Semantic Segmentation Model on Mobile
Devices" (arXiv:2304.05152); what the paper leaves open is as in the authors'
code (PaddlePaddle/PaddleSeg, paddleseg/models/pp_mobileseg.py and backbones/strideformer.py, `AAM`
of pp_mobileseg_tiny_ade20k_512x512_160k.yml).

Deviations, besides those of `strideformer` and `axial_attention`:
- The valid interpolate module, which resizes the logits of the classes that occur alone, is no
  part of the network. This package's runtime upsamples labels exactly in its own way.
- The image is in [-1, 1] (equation 1 of this package), not normed by ImageNet's statistics.
- Features at 1/8 are resized to the size of those at 1/16, ceil(H / 16), where the authors halve
  them, floor(ceil(H / 8) / 2).
"""

from __future__ import annotations

from ..blocks import ConvNormAct, ResizeLike, check_shares
from ..engine import layers
from .strideformer import strideformer_tiny_backbone

HEAD_WIDTH = 256


def pp_mobileseg_tiny(
    inputs,
    num_classes: int,
    dropout: float = 0.1,
    drop_path: float = 0.1,
    batch_norm_momentum: float = 0.99,
    align_corners: bool = False,
):
    """PP-MobileSeg-Tiny up to its logits.

    The authors train no auxiliary head. For one, `stage2_unit2_add` (1/8), `stage3_block2_output`
    (1/16) and `stage4_block2_output` (1/32) end the stages that the head reads.

    Args:
        inputs: [B, H, W, 3] tensor, values in [-1, 1].
        num_classes: depth of the logits.
        dropout: share of the channels before the classifier dropped while training.
        drop_path: see `strideformer_tiny_backbone`.
        batch_norm_momentum: of every batch norm (the authors' is 0.9).
        align_corners: convention of the bilinear resizes of the images, see `ResizeLike`. Learned
            positions are always resized with half-pixel centres.

    Returns:
        Float logits [B, ceil(H / 16), ceil(W / 16), num_classes].

    Raises:
        ValueError: dropout or drop_path is not in [0, 1).
    """
    check_shares(dropout=dropout, drop_path=drop_path)
    features = strideformer_tiny_backbone(inputs, drop_path, batch_norm_momentum, align_corners)
    conv = ConvNormAct(batch_norm_momentum, 1e-5)
    x = aggregated_attention(*features, conv, align_corners)
    x = conv.depthwise(x, kernel_size=1, name="head_depthwise")
    x = layers.SpatialDropout2D(dropout, name="dropout")(x)
    return layers.Conv2D(num_classes, 1, name="logits", dtype="float32")(x)


def aggregated_attention(fine, middle, coarse, conv, align_corners: bool = False):
    """Gates of all three vote on the details, the semantics are added.

    Args:
        fine, middle, coarse: features at strides 8, 16 and 32.
        conv: the convolutions, with their batch norms.
        align_corners: see `ResizeLike`.

    Returns:
        [B, h, w, 256] at the size of `middle`.
    """
    # Halving, bilinear with half-pixel centres, is the mean of 2 × 2.
    fine = ResizeLike(align_corners, name="aam_fine_resize")([fine, middle])
    gates, values = [], []
    for name, x in (("fine", fine), ("middle", middle), ("coarse", coarse)):
        gate = conv.pointwise(x, HEAD_WIDTH, name=f"aam_{name}_gate", activation="relu6")
        value = conv.pointwise(x, HEAD_WIDTH, name=f"aam_{name}_value", activation=None)
        if name == "coarse":
            gate = ResizeLike(align_corners, name="aam_coarse_gate_resize")([gate, middle])
            value = ResizeLike(align_corners, name="aam_coarse_value_resize")([value, middle])
        gates.append(gate)
        values.append(value)
    votes = layers.Multiply(name="aam_votes")(gates)
    details = layers.Add(name="aam_details")(values[:2])
    details = layers.Multiply(name="aam_filtered")([votes, details])
    return layers.Add(name="aam_output")([details, values[2]])
