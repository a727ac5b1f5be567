"""SeaFormer feature extractor: MobileNetV2 stages, axial transformers from 1/32 on.

Wan et al., "SeaFormer: Squeeze-enhanced Axial Transformer for Mobile Semantic Segmentation"
(arXiv:2301.13156); widths, expansions and kernels as in the authors' configurations
(fudan-zvg/SeaFormer, seaformer-seg/local_configs).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..axial_attention import AxialTransformer
from ..blocks import ConvNormAct
from ..inverted_residual import inverted_residual

STEM_WIDTH = 16
#: (kernel, expansion, stride) of each unit of each stage; expansions of stage 4 are the size's.
STAGES = (
    ((3, 1, 1), (3, 4, 2), (3, 3, 1)),
    ((5, 3, 2), (5, 3, 1)),
    ((3, 3, 2), (3, 3, 1)),
    ((5, None, 2),),
    ((3, 6, 2),),
)
#: Expansion of the perceptrons of stages 4 and 5.
PERCEPTRON_EXPANSIONS = (2, 4)
#: Keys of a head in stages 4 and 5.
KEY_WIDTHS = (16, 24)


@dataclass(frozen=True)
class Size:
    """What tells a variant from the others.

    Attributes:
        widths: channels of stages 1 to 5 (the first unit always has 16).
        stage4_expansion: of the inverted residual there.
        depth: transformer blocks at the end of each of stages 4 and 5.
        num_heads: of their attention.
        head_widths: channels of the two fusions of the segmentation head.
    """

    widths: tuple[int, int, int, int, int]
    stage4_expansion: int
    depth: int
    num_heads: int
    head_widths: tuple[int, int]


SIZES = {
    "tiny": Size((16, 32, 64, 128, 160), 3, 2, 4, (64, 96)),
    "small": Size((24, 48, 96, 160, 192), 4, 3, 6, (96, 128)),
    "base": Size((32, 64, 128, 192, 256), 4, 4, 8, (128, 160)),
}


def seaformer_backbone(
    inputs, size: Size, drop_path: float = 0.1, batch_norm_momentum: float = 0.99
):
    """Features of an image that is already in [-1, 1].

    Args:
        inputs: [B, H, W, 3] tensor.
        size: one of `SIZES`.
        drop_path: share of the images for which the last transformer block of a stage is left out
            while training; those before it have less, the first 0.
        batch_norm_momentum: of every batch norm here.

    Returns:
        Features at strides 8, 32 and 64, of size.widths[1], [3] and [4] channels.
    """
    conv = ConvNormAct(batch_norm_momentum, 1e-5)
    transformer = AxialTransformer(conv, size.num_heads)
    x = conv.conv(inputs, STEM_WIDTH, 3, stride=2, name="stem")
    features = []
    for stage, (units, stage_width) in enumerate(zip(STAGES, size.widths), start=1):
        for unit, (kernel, expansion, stride) in enumerate(units, start=1):
            width = STEM_WIDTH if (stage, unit) == (1, 1) else stage_width
            expansion = expansion or size.stage4_expansion
            x = inverted_residual(
                x, expansion * x.shape[-1], width, conv, f"stage{stage}_unit{unit}",
                kernel_size=kernel, stride=stride,
            ).output  # fmt: skip
        if stage >= 4:
            x = transformer.stage(
                x, size.depth, KEY_WIDTHS[stage - 4], PERCEPTRON_EXPANSIONS[stage - 4], drop_path,
                name=f"stage{stage}",
            )  # fmt: skip
        if stage in (2, 4, 5):
            features.append(x)
    return tuple(features)
