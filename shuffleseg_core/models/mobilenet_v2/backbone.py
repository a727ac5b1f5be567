"""MobileNetV2 feature extractor with atrous stages.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (arXiv:1801.04381), table
2 up to the last bottleneck, as DeepLabv3 uses it there (section 6.3).
"""

from __future__ import annotations

from ..blocks import ConvNormAct
from ..inverted_residual import inverted_residual

#: (expansion, channels, units, stride) of each stage.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
STEM_WIDTH = 32
OUTPUT_STRIDES = (8, 16, 32)


def mobilenet_v2_backbone(inputs, output_stride: int = 16, batch_norm_momentum: float = 0.997):
    """Features of an image that is already in [-1, 1].

    Args:
        inputs: [B, H, W, 3] tensor.
        output_stride: 8, 16 or 32; stages that lose their stride give those behind them an atrous
            rate.
        batch_norm_momentum: of every batch norm here.

    Returns:
        stride → the deepest features [B, ceil(H / stride), ceil(W / stride), C] there are at it,
        from 2 to output_stride; the last have 320 channels.

    Raises:
        ValueError: output_stride is none of these.
    """
    if output_stride not in OUTPUT_STRIDES:
        raise ValueError(f"output_stride {output_stride} is not in {list(OUTPUT_STRIDES)}")
    conv = ConvNormAct(batch_norm_momentum, 1e-3)
    x = conv.conv(inputs, STEM_WIDTH, 3, stride=2, name="stem", activation="relu6")
    features = {}
    current_stride, rate = 2, 1
    for stage, (expansion, width, count, stage_stride) in enumerate(STAGES, start=1):
        for unit in range(1, count + 1):
            stride = stage_stride if unit == 1 else 1
            unit_rate = rate
            if stride == 2 and current_stride == output_stride:
                stride, rate = 1, 2 * rate  # the lost stride becomes a rate, from the next unit on
            current_stride *= stride
            name = f"stage{stage}_unit{unit}"
            x = inverted_residual(
                x,
                expansion * x.shape[-1],
                width,
                conv,
                name,
                stride=stride,
                rate=unit_rate,
                activation="relu6",
            ).output
        features[current_stride] = x
    return features
