"""StrideFormer-Tiny: MobileNetV3 stages with strided axial attention at 1/16 and 1/32.

Tang et al., "PP-MobileSeg: Explore the Fast and Accurate Semantic Segmentation Model on Mobile
Devices" (arXiv:2304.05152); widths as in the authors' code
(PaddlePaddle/PaddleSeg, paddleseg/models/backbones/strideformer.py, `MobileSeg_Tiny`).

Deviation: the hard sigmoid of squeeze-and-excite has a slope of 1/6, that of PaddlePaddle 1/5,
which is the same network: their weights of the convolution before it, times 6/5.
"""

from __future__ import annotations

from ..axial_attention import AxialTransformer
from ..blocks import ConvNormAct
from ..inverted_residual import inverted_residual

STEM_WIDTH = 16
#: (kernel, expanded channels, channels, squeeze-and-excite, activation, stride) of each unit of
#: each stage. Hard SiLU is Keras's name for hard swish.
STAGES = (
    ((3, 16, 16, True, "relu", 1), (3, 64, 32, False, "relu", 2), (3, 48, 24, False, "relu", 1)),
    ((5, 96, 32, True, "hard_silu", 2), (5, 96, 32, True, "hard_silu", 1)),
    ((5, 160, 64, True, "hard_silu", 2), (5, 160, 64, True, "hard_silu", 1)),
    ((3, 384, 128, True, "hard_silu", 2), (3, 384, 128, True, "hard_silu", 1)),
)
NUM_HEADS = 4
#: (blocks, keys of a head, expansion of the perceptron) of the transformers behind stages 3 and 4.
TRANSFORMERS = ((2, 16, 2), (2, 24, 4))


def strideformer_tiny_backbone(
    inputs,
    drop_path: float = 0.1,
    batch_norm_momentum: float = 0.99,
    align_corners: bool = False,
):
    """Features of an image that is already in [-1, 1].

    Args:
        inputs: [B, H, W, 3] tensor.
        drop_path: share of the images for which the last transformer block of a stage is left out
            while training; the first is never.
        batch_norm_momentum: of every batch norm here.
        align_corners: convention of the bilinear resizes, see `ResizeLike`.

    Returns:
        Features at strides 8, 16 and 32, of 32, 64 and 128 channels.
    """
    conv = ConvNormAct(batch_norm_momentum, 1e-5)
    transformer = AxialTransformer(conv, NUM_HEADS, stride=2, align_corners=align_corners)
    x = conv.conv(inputs, STEM_WIDTH, 3, stride=2, name="stem", activation="hard_silu")
    features = []
    for stage, units in enumerate(STAGES, start=1):
        for unit, (kernel, expanded, width, with_se, activation, stride) in enumerate(
            units, start=1
        ):
            # Other than in MobileNetV3 the first 1×1 is there, too, where it does not expand.
            x = inverted_residual(
                x,
                expanded,
                width,
                conv,
                f"stage{stage}_unit{unit}",
                kernel_size=kernel,
                stride=stride,
                activation=activation,
                squeezed=expanded // 4 if with_se else None,
                always_expand=True,
            ).output
        if stage >= 3:
            depth, key_width, expansion = TRANSFORMERS[stage - 3]
            x = transformer.stage(x, depth, key_width, expansion, drop_path, f"stage{stage}")
        if stage >= 2:
            features.append(x)
    return tuple(features)
