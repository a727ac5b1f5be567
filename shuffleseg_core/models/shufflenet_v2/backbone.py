"""ShuffleNet V2 feature extractor with atrous stages.

Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design"
(arXiv:1807.11164), made denser as in Türkmen & Heikkilä, section 3.1 and table 1.
"""

from __future__ import annotations

from ..blocks import ConvNormAct
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


@keras.saving.register_keras_serializable("shuffleseg")
class ChannelShuffle(layers.Layer):
    """Interleave the channels of `groups` equal groups.

    [B, H, W, C] → [B, H, W, C]: channel g·C/groups + i moves to i·groups + g.
    """

    def __init__(self, groups: int = 2, **kwargs):
        super().__init__(**kwargs)
        self.groups = groups

    def call(self, inputs):
        _, height, width, _ = keras.ops.shape(inputs)
        channels = inputs.shape[-1]
        x = keras.ops.reshape(inputs, (-1, height, width, self.groups, channels // self.groups))
        x = keras.ops.transpose(x, (0, 1, 2, 4, 3))
        return keras.ops.reshape(x, (-1, height, width, channels))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "groups": self.groups}


def _downsampling_unit(x, width: int, conv: ConvNormAct, stride: int, rate: int, name: str):
    """Fig. 3(d) of ShuffleNet V2: both branches see every channel.

    The branch stays at the input's width up to its last convolution, as in the official
    TensorFlow implementation (ShuffleNet's authors narrow or widen it at once, which differs
    in stage 2 alone). Returns (branch, shortcut), each with width / 2 channels.
    """
    half = width // 2
    shortcut = conv.depthwise(
        x, stride=stride, rate=rate, activation=None, name=f"{name}_shortcut_depthwise"
    )
    shortcut = conv.pointwise(shortcut, half, name=f"{name}_shortcut_conv1x1")
    return _branch(x, half, conv, stride, rate, name), shortcut


def _basic_unit(branch, shortcut, conv: ConvNormAct, rate: int, name: str):
    """Fig. 3(c) of ShuffleNet V2: one half of the shuffled channels passes untouched.

    Takes and returns (branch, shortcut), each with half of the stage's channels.
    """
    x = layers.Concatenate(name=f"{name}_concat")([branch, shortcut])
    x = ChannelShuffle(name=f"{name}_shuffle")(x)
    shortcut, x = keras.ops.split(x, 2, axis=-1)
    return _branch(x, shortcut.shape[-1], conv, 1, rate, name), shortcut


def _branch(x, width: int, conv: ConvNormAct, stride: int, rate: int, name: str):
    """1×1, depthwise 3×3 (no activation behind it), 1×1."""
    x = conv.pointwise(x, x.shape[-1], name=f"{name}_conv1x1_before")
    x = conv.depthwise(x, stride=stride, rate=rate, activation=None, name=f"{name}_depthwise")
    return conv.pointwise(x, width, name=f"{name}_conv1x1_after")


def shufflenet_v2_backbone(
    inputs,
    depth_multiplier: float = 1.0,
    output_stride: int = 16,
    stage4_rate_1: bool = False,
    batch_norm_momentum: float = 0.997,
    batch_norm_epsilon: float = 1e-3,
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
        batch_norm_momentum, batch_norm_epsilon: of every batch norm here; the defaults
            are the official implementation's.

    Returns:
        [B, ceil(H / output_stride), ceil(W / output_stride), C], where C is the last
        of `STAGE_WIDTHS[depth_multiplier]`.

    Raises:
        ValueError: depth_multiplier or output_stride is not one of the above.
    """
    if depth_multiplier not in STAGE_WIDTHS:
        raise ValueError(f"depth_multiplier {depth_multiplier} is not in {list(STAGE_WIDTHS)}")
    if output_stride not in OUTPUT_STRIDES:
        raise ValueError(f"output_stride {output_stride} is not in {list(OUTPUT_STRIDES)}")
    conv = ConvNormAct(batch_norm_momentum, batch_norm_epsilon)

    x = conv.conv(inputs, STEM_WIDTH, kernel_size=3, stride=2, name="stem")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    current_stride, rate = 4, 1
    for stage, width, units in zip((2, 3, 4), STAGE_WIDTHS[depth_multiplier], STAGE_UNITS):
        stride = 2 if current_stride < output_stride else 1
        current_stride *= stride
        branch, shortcut = _downsampling_unit(
            x, width, conv, stride, rate, name=f"stage{stage}_unit1"
        )
        if stride == 1:  # the lost stride becomes a rate, from the next unit on
            rate *= 2
        unit_rate = 1 if stage == 4 and stage4_rate_1 else rate
        for unit in range(2, units + 1):
            branch, shortcut = _basic_unit(
                branch, shortcut, conv, unit_rate, name=f"stage{stage}_unit{unit}"
            )
        # The halves of a stage's last unit are joined without a shuffle, as officially.
        x = layers.Concatenate(name=f"stage{stage}_output")([branch, shortcut])
    return x
