"""The variables of the paper's official implementation, sercant/mobile-segmentation.

Its networks are ours layer by layer, in the same channel order, so that names alone change.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..label_map import LabelMap
from .layer_weights import CLASSIFIER, LayerCollector, LayerWeights

_UNIT = r"ShuffleNetV2/Stage(\d)/unit_(\d)"
_SCOPES = (
    (r"ShuffleNetV2/Conv1", "stem"),
    (rf"{_UNIT}/(conv1x1_before|depthwise|conv1x1_after)", r"stage\1_unit\2_\3"),
    (rf"{_UNIT}/second_branch/depthwise", r"stage\1_unit\2_shortcut_depthwise"),
    (rf"{_UNIT}/second_branch/conv1x1_after", r"stage\1_unit\2_shortcut_conv1x1"),
    (r"image_pooling", "image_pool_conv1x1"),
    (r"aspp0", "aspp0_conv1x1"),
    (r"meta_architecture/branch(\d)_depthwise", r"dpc\1_depthwise"),
    (r"meta_architecture/branch(\d)_pointwise", r"dpc\1_conv1x1"),
    (r"(?:meta_architecture/)?concat_projection", "projection_conv1x1"),
    (r"logits/semantic", CLASSIFIER),
)
# The backbone's batch norms are tf.layers's (batch_norm), the heads' are slim's (BatchNorm).
_KINDS = (
    (r"(?:weights|depthwise_weights)", "", 0),
    (r"biases", "", 1),
    (r"(?:batch_norm|BatchNorm)/gamma", "_norm", 0),
    (r"(?:batch_norm|BatchNorm)/beta", "_norm", 1),
    (r"(?:batch_norm|BatchNorm)/moving_mean", "_norm", 2),
    (r"(?:batch_norm|BatchNorm)/moving_variance", "_norm", 3),
)
_PATTERNS = tuple(
    (re.compile(f"{scope}/{kind}"), layer + suffix, index)
    for scope, layer in _SCOPES
    for kind, suffix, index in _KINDS
)
_UNUSED = (
    (re.compile(r"(.*/)?global_step"), "global_step"),
    (re.compile(r"(.*/)?beta[12]_power"), "optimizer state"),
    (re.compile(r".+/(Adam|Adadelta|RMSProp|Ftrl)(_\d)?"), "optimizer state"),
    (re.compile(r".+/(Momentum|Adagrad)"), "optimizer state"),
    (re.compile(r".+/ExponentialMovingAverage"), "moving averages"),
    (re.compile(r"(ShuffleNetV2/)?(Conv5|classifier)/.+"), "ImageNet classifier"),
)


def from_mobile_segmentation(variables: dict[str, np.ndarray], path: Path) -> LayerWeights:
    """Name the variables of a TF1 checkpoint after our layers.

    Args:
        variables: all of the checkpoint's.
        path: the checkpoint, for messages.

    Raises:
        UserError: a variable is none of that implementation's, or part of a layer is missing.
    """
    collector = LayerCollector(path)
    unused, strange = set(), []
    for name, array in variables.items():
        place = _place(name)
        part = next((part for pattern, part in _UNUSED if pattern.fullmatch(name)), None)
        if place is not None:
            collector.add(*place, array)
        elif part is not None:
            unused.add(part)
        else:
            strange.append(name)
    if strange:
        more = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
        raise UserError(
            f"{path}: variable {min(strange)}{more} is not one of ShuffleNet V2 with a basic or "
            "DPC head as sercant/mobile-segmentation names them; give one of its checkpoints"
        )
    layers = collector.layers()
    classes = None
    if CLASSIFIER in layers and layers[CLASSIFIER][1].size == 19:
        classes = LabelMap.named("cityscapes").names
    kind = "official weights" if CLASSIFIER in layers else "official backbone weights"
    return LayerWeights(kind, layers, tuple(sorted(unused)), "mobile_segmentation", classes)


def _place(name: str) -> tuple[str, int] | None:
    for pattern, layer, index in _PATTERNS:
        if match := pattern.fullmatch(name):
            return match.expand(layer), index
    return None
