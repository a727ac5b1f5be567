"""ShuffleNet V2 feature extractor with atrous stages.

Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design"
(arXiv:1807.11164), made denser as in Türkmen & Heikkilä, section 3.1 and table 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..blocks import ChannelShuffle, ConvNormAct
from ..engine import keras, layers

#: Channels after stages 2, 3 and 4 by depth multiplier (ShuffleNet V2, table 5).
STAGE_WIDTHS = {
    0.5: (48, 96, 192),
    1.0: (116, 232, 464),
    1.5: (176, 352, 704),
    2.0: (244, 488, 976),
}
STAGE_UNITS = (4, 8, 4)
STEM_WIDTH = 24
OUTPUT_STRIDES = (8, 16, 32)
BATCH_NORM_EPSILON = 1e-3


@dataclass(frozen=True)
class UnitVariant:
    """What published implementations do differently where the paper leaves it open.

    Attributes:
        branch_keeps_width: the first two convolutions of a down-sampling unit's branch have its
            input's channels; else half of the stage's.
        shortcut_keeps_width: the shortcut of a down-sampling unit gives its input's channels and
            the branch the rest of the stage's; else each gives half.
        shortcut_first: the order in which the two are joined.
        shuffle_takes_pairs_apart: the shuffle splits channels into even and odd ones; else it
            interleaves the two halves, and the next unit splits the result in the middle.
    """

    branch_keeps_width: bool
    shortcut_keeps_width: bool
    shortcut_first: bool
    shuffle_takes_pairs_apart: bool


#: By the repository that has them. Sizes differ in stage 2 alone: later stages double the width.
#: The units of the last two are mirrored here (channel i of C is their C - 1 - i), so that in all
#: of them it is the first half that a unit works on.
UNIT_VARIANTS = {
    "mobile_segmentation": UnitVariant(True, False, True, False),
    "torchvision": UnitVariant(False, False, False, False),
    "megvii": UnitVariant(False, True, False, True),
}


def _downsampling_unit(x, width, conv: ConvNormAct, stride, rate, units: UnitVariant, name):
    """Fig. 3(d) of ShuffleNet V2: both branches see every channel.

    Returns the two parts of the stage's channels in the order in which they are joined.
    """
    half, input_width = width // 2, x.shape[-1]
    shortcut_width = input_width if units.shortcut_keeps_width else half
    shortcut = conv.depthwise(
        x, stride=stride, rate=rate, activation=None, name=f"{name}_shortcut_depthwise"
    )
    shortcut = conv.pointwise(shortcut, shortcut_width, name=f"{name}_shortcut_conv1x1")
    inner = input_width if units.branch_keeps_width else half
    branch = _branch(x, inner, width - shortcut_width, conv, stride, rate, name)
    return (shortcut, branch) if units.shortcut_first else (branch, shortcut)


def _basic_unit(parts, conv: ConvNormAct, rate: int, units: UnitVariant, name: str):
    """Fig. 3(c) of ShuffleNet V2: one half of the shuffled channels passes untouched.

    Takes and returns two parts of the stage's channels in the order in which they are joined.
    """
    x = layers.Concatenate(name=f"{name}_concat")(list(parts))
    groups = x.shape[-1] // 2 if units.shuffle_takes_pairs_apart else 2
    x = ChannelShuffle(groups, name=f"{name}_shuffle")(x)
    x, untouched = keras.ops.split(x, 2, axis=-1)
    half = untouched.shape[-1]
    return _branch(x, half, half, conv, 1, rate, name), untouched


def _branch(x, inner: int, outer: int, conv: ConvNormAct, stride: int, rate: int, name: str):
    """1×1 to `inner` channels, depthwise 3×3 (no activation behind it), 1×1 to `outer`."""
    x = conv.pointwise(x, inner, name=f"{name}_conv1x1_before")
    x = conv.depthwise(x, stride=stride, rate=rate, activation=None, name=f"{name}_depthwise")
    return conv.pointwise(x, outer, name=f"{name}_conv1x1_after")


def shufflenet_v2_backbone(
    inputs,
    depth_multiplier: float = 1.0,
    output_stride: int = 16,
    stage4_rate_1: bool = False,
    unit_variant: str = "mobile_segmentation",
    batch_norm_momentum: float = 0.997,
    batch_norm_epsilon: float = BATCH_NORM_EPSILON,
):
    """Features of an image that is already in [-1, 1].

    Args:
        inputs: [B, H, W, 3] tensor.
        depth_multiplier: 0.5, 1, 1.5 or 2.
        output_stride: 8, 16 or 32; how many input pixels one feature step is. Below 32,
            stages lose their stride from the end on, and the units behind a lost stride
            get the atrous rate network stride / output stride (section 3.1).
        stage4_rate_1: keep rate 1 in stage 4, as the official published checkpoints do
            by a slip where the paper says 2. Weights have the same shapes either way.
        unit_variant: a key of `UNIT_VARIANTS`. The default is the official implementation's and
            the paper's arithmetic; the others take the ImageNet weights of torchvision and of
            ShuffleNet's authors (megvii-model/ShuffleNet-Series).
        batch_norm_momentum, batch_norm_epsilon: of every batch norm here; the defaults
            are the official implementation's.

    Returns:
        stride → the deepest features [B, ceil(H / stride), ceil(W / stride), C] there are at it,
        from 2 (the stem's convolution) to output_stride. The last have the width of stage 4.

    Raises:
        ValueError: an argument is not one of the above.
    """
    if depth_multiplier not in STAGE_WIDTHS:
        raise ValueError(f"depth_multiplier {depth_multiplier} is not in {list(STAGE_WIDTHS)}")
    if output_stride not in OUTPUT_STRIDES:
        raise ValueError(f"output_stride {output_stride} is not in {list(OUTPUT_STRIDES)}")
    if unit_variant not in UNIT_VARIANTS:
        raise ValueError(f"unit_variant {unit_variant!r} is not in {list(UNIT_VARIANTS)}")
    units = UNIT_VARIANTS[unit_variant]
    conv = ConvNormAct(batch_norm_momentum, batch_norm_epsilon)

    x = conv.conv(inputs, STEM_WIDTH, kernel_size=3, stride=2, name="stem")
    features = {2: x}
    x = features[4] = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    current_stride, rate = 4, 1
    for stage, width, count in zip((2, 3, 4), STAGE_WIDTHS[depth_multiplier], STAGE_UNITS):
        stride = 2 if current_stride < output_stride else 1
        current_stride *= stride
        parts = _downsampling_unit(x, width, conv, stride, rate, units, name=f"stage{stage}_unit1")
        if stride == 1:  # the lost stride becomes a rate, from the next unit on
            rate *= 2
        unit_rate = 1 if stage == 4 and stage4_rate_1 else rate
        for unit in range(2, count + 1):
            parts = _basic_unit(parts, conv, unit_rate, units, name=f"stage{stage}_unit{unit}")
        # The parts of a stage's last unit are joined without a shuffle, as officially.
        x = layers.Concatenate(name=f"stage{stage}_output")(list(parts))
        features[current_stride] = x
    return features


def unit_variant_of(model) -> str | None:
    """The `unit_variant` that a Keras model was built with; None where it has no such backbone."""
    try:
        joined = model.get_layer("stage2_unit2_concat")
        shuffle = model.get_layer("stage2_unit2_shuffle")
        shortcut = model.get_layer("stage2_unit1_shortcut_conv1x1_activation")
    except ValueError:
        return None
    if joined.input[0] is shortcut.output:
        return "mobile_segmentation"
    return "torchvision" if shuffle.groups == 2 else "megvii"
