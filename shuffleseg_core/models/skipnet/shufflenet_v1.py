"""ShuffleNet (v1) feature extractor.

Zhang et al., "ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile Devices"
(arXiv:1707.01083), table 1 up to stage 4, with the widths of "1×".
"""

from __future__ import annotations

from ..blocks import ChannelShuffle, ConvNormAct
from ..engine import keras, layers

#: Channels after stages 2, 3 and 4 by the number of groups (table 1).
STAGE_WIDTHS = {
    1: (144, 288, 576),
    2: (200, 400, 800),
    3: (240, 480, 960),
    4: (272, 544, 1088),
    8: (384, 768, 1536),
}
STAGE_UNITS = (4, 8, 4)
STEM_WIDTH = 24


def shufflenet_v1_backbone(
    inputs,
    groups: int = 3,
    branch_bottleneck: bool = False,
    batch_norm_momentum: float = 0.99,
):
    """Features of an image that is already in [-1, 1].

    A unit's result is the output of the layer `stage<s>_unit<u>_output`.

    Args:
        inputs: [B, H, W, 3] tensor.
        groups: of the 1×1 convolutions; a key of `STAGE_WIDTHS`.
        branch_bottleneck: the first unit of a stage narrows to a quarter of what its branch adds
            to the shortcut's channels; else to a quarter of the stage's channels, as all others
            do. Only with 1 to 3 groups.
        batch_norm_momentum: of every batch norm here.

    Returns:
        stride → the deepest features [B, ceil(H / stride), ceil(W / stride), C] there are at it,
        from 2 to 32; the last have the width of stage 4.

    Raises:
        ValueError: an argument is not one of the above.
    """
    if groups not in STAGE_WIDTHS:
        raise ValueError(f"groups {groups} is not in {list(STAGE_WIDTHS)}")
    if branch_bottleneck and groups > 3:
        raise ValueError(f"branch_bottleneck has no whole widths with groups {groups}")
    conv = ConvNormAct(batch_norm_momentum)
    x = conv.conv(inputs, STEM_WIDTH, 3, stride=2, name="stem")
    features = {2: x}
    x = features[4] = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    stride = 4
    for stage, width, count in zip((2, 3, 4), STAGE_WIDTHS[groups], STAGE_UNITS):
        # 24 channels are too few to narrow them by groups (section 3.3).
        x = _downsampling_unit(
            x,
            width,
            (width - x.shape[-1] if branch_bottleneck else width) // 4,
            1 if stage == 2 else groups,
            groups,
            conv,
            name=f"stage{stage}_unit1",
        )
        for unit in range(2, count + 1):
            x = _residual_unit(x, groups, conv, name=f"stage{stage}_unit{unit}")
        stride *= 2
        features[stride] = x
    return features


def _downsampling_unit(x, width, bottleneck, groups_before, groups, conv: ConvNormAct, name: str):
    """Figure 2(c): what was pooled keeps its channels, the branch adds the others."""
    added = width - x.shape[-1]
    branch = _branch(x, bottleneck, added, groups_before, groups, conv, 2, name)
    shortcut = layers.AveragePooling2D(3, strides=2, padding="same", name=f"{name}_shortcut")(x)
    x = layers.Concatenate(name=f"{name}_concat")([shortcut, branch])
    return layers.Activation("relu", name=f"{name}_output")(x)


def _residual_unit(x, groups: int, conv: ConvNormAct, name: str):
    """Figure 2(b)."""
    width = x.shape[-1]
    branch = _branch(x, width // 4, width, groups, groups, conv, 1, name)
    x = layers.Add(name=f"{name}_add")([x, branch])
    return layers.Activation("relu", name=f"{name}_output")(x)


def _branch(x, bottleneck, width, groups_before, groups, conv: ConvNormAct, stride, name):
    """Grouped 1×1, shuffle, depthwise 3×3, grouped 1×1; only the first is activated."""
    x = _grouped_pointwise(x, bottleneck, groups_before, conv, f"{name}_reduce", "relu")
    if groups_before > 1:
        x = ChannelShuffle(groups, name=f"{name}_shuffle")(x)
    x = conv.depthwise(x, f"{name}_depthwise", stride=stride, activation=None)
    return _grouped_pointwise(x, width, groups, conv, f"{name}_expand", None)


def _grouped_pointwise(x, width: int, groups: int, conv: ConvNormAct, name: str, activation):
    """1×1 convolution of each of equal groups of channels → batch norm → activation.

    Convolutions side by side, as TensorFlow cannot train a grouped one on a CPU. Each has a batch
    norm of its own, which is the same as one of all: folded into it, they cost nothing.
    """
    if groups == 1:
        return conv.pointwise(x, width, name, activation)
    parts = [
        conv.pointwise(part, width // groups, f"{name}_group{group}", activation)
        for group, part in enumerate(keras.ops.split(x, groups, axis=-1), start=1)
    ]
    return layers.Concatenate(name=f"{name}_concat")(parts)
