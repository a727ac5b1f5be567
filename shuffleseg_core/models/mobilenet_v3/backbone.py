"""MobileNetV3-Large feature extractor with atrous stages.

Howard et al., "Searching for MobileNetV3" (arXiv:1905.02244), table 1 up to the last 1×1 before
the pooling. What the table leaves open is as in the authors' code (tensorflow/models,
research/slim/nets/mobilenet): widths of squeeze-and-excite, rates of stages without their stride.
"""

from __future__ import annotations

from ..blocks import ConvNormAct
from ..inverted_residual import inverted_residual
from ..squeeze_excite import divisible_by_8

#: (expanded channels of each unit, channels, kernel, squeeze-and-excite, activation, stride) of
#: each stage. Hard SiLU is Keras's name for hard swish, TFLite's HARD_SWISH.
STAGES = (
    ((16,), 16, 3, False, "relu", 1),
    ((64, 72), 24, 3, False, "relu", 2),
    ((72, 120, 120), 40, 5, True, "relu", 2),
    ((240, 200, 184, 184), 80, 3, False, "hard_silu", 2),
    ((480, 672), 112, 3, True, "hard_silu", 1),
    ((672, 960, 960), 160, 5, True, "hard_silu", 2),
)
STEM_WIDTH = 16
LAST_WIDTH = 960
OUTPUT_STRIDES = (8, 16, 32)


def mobilenet_v3_large_backbone(
    inputs,
    output_stride: int = 16,
    halved_tail: bool = False,
    rate_from_first_unit: bool = False,
    batch_norm_momentum: float = 0.99,
):
    """Features of an image that is already in [-1, 1].

    Args:
        inputs: [B, H, W, 3] tensor.
        output_stride: 8, 16 or 32; stages that lose their stride give those behind them an atrous
            rate.
        halved_tail: half the channels from the last stage on ("RF2" in table 7), between its
            convolutions, too. The first unit's 672 are among them: with 336 three rows of the
            table have their published parameters, which 672 (as in the released code) exceed by
            0.24 M.
        rate_from_first_unit: a stage that loses its stride has the rate in its first unit, too, as
            torchvision has it; the authors' code begins with the second.
        batch_norm_momentum: of every batch norm here.

    Returns:
        (features [B, ceil(H / output_stride), ceil(W / output_stride), 960 or 480], units); units
        are a dict from (stage, unit), both from 1, to `Unit`.

    Raises:
        ValueError: output_stride is none of these.
    """
    if output_stride not in OUTPUT_STRIDES:
        raise ValueError(f"output_stride {output_stride} is not in {list(OUTPUT_STRIDES)}")
    conv = ConvNormAct(batch_norm_momentum, 1e-3)
    x = conv.conv(inputs, STEM_WIDTH, 3, stride=2, name="stem", activation="hard_silu")
    units = {}
    current_stride, rate = 2, 1
    for stage, (expansions, width, kernel, with_se, activation, stage_stride) in enumerate(
        STAGES, start=1
    ):
        halving = 2 if halved_tail and stage == len(STAGES) else 1
        for unit, expanded in enumerate(expansions, start=1):
            stride = stage_stride if unit == 1 else 1
            unit_rate = rate
            if stride == 2 and current_stride == output_stride:
                stride, rate = 1, 2 * rate
                if rate_from_first_unit:
                    unit_rate = rate
            current_stride *= stride
            expanded //= halving
            units[stage, unit] = inverted_residual(
                x,
                expanded,
                width // halving,
                conv,
                f"stage{stage}_unit{unit}",
                kernel_size=kernel,
                stride=stride,
                rate=unit_rate,
                activation=activation,
                squeezed=divisible_by_8(expanded / 4) if with_se else None,
            )
            x = units[stage, unit].output
    last_width = LAST_WIDTH // 2 if halved_tail else LAST_WIDTH
    return conv.pointwise(x, last_width, name="last", activation="hard_silu"), units
