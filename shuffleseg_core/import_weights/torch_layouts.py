"""State dicts of ShuffleNet V2 as torchvision and its authors (megvii-model) name them.

Both have the names of their repository's model, convolutions as [out, in, rows, columns], batch
norms with epsilon 1e-5, and images normalised in a way of their own. Conversion changes none of
the function but at the image's border: these networks pad a normalised image with zeros, ours
pads with mid-grey (see `_fold_normalisation`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..models.shufflenet_v2 import BATCH_NORM_EPSILON, STAGE_UNITS
from .layer_weights import LayerCollector, LayerWeights

#: Of batch norms.
TORCH_EPSILON = 1e-5
_NORM_ARRAYS = {"weight": 0, "bias": 1, "running_mean": 2, "running_var": 3}


@dataclass(frozen=True)
class _Normalisation:
    """x · scale + shift of pixels x in [-1, 1], by the file's input channel.

    Attributes:
        scale, shift: one for each channel.
        channels: the file's channel of R, G and B.
    """

    scale: tuple[float, float, float]
    shift: tuple[float, float, float]
    channels: tuple[int, int, int]


def _torchvision_normalisation() -> _Normalisation:
    """(pixel / 255 - mean) / deviation, RGB."""
    means, deviations = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return _Normalisation(
        tuple(0.5 / deviation for deviation in deviations),
        tuple((0.5 - mean) / deviation for mean, deviation in zip(means, deviations)),
        (0, 1, 2),
    )


#: BGR, 0 to 255.
_MEGVII_NORMALISATION = _Normalisation((127.5,) * 3, (127.5,) * 3, (2, 1, 0))


def from_state_dict(tensors: dict[str, np.ndarray], path: Path) -> LayerWeights:
    """Name the tensors of a state dict after our layers, in our layout.

    Args:
        tensors: the whole state dict.
        path: the file, for messages.

    Raises:
        UserError: a tensor is none of these two models', has a wrong number of axes, or part of a
            layer is missing.
    """
    if "first_conv.0.weight" in tensors:
        variant, owner, normalisation = "megvii", "its authors'", _MEGVII_NORMALISATION
        names = {name: _torchvision_name(name) for name in tensors}
    else:
        variant, owner, normalisation = "torchvision", "torchvision's", _torchvision_normalisation()
        names = {name: name for name in tensors}
    collector = LayerCollector(path)
    unused = set()
    for name, tensor in tensors.items():
        layer, index = _place(names[name])
        if layer is None:
            raise UserError(
                f"{path}: tensor {name} is not one of ShuffleNet V2 as torchvision or "
                "megvii-model/ShuffleNet-Series name them; give one of their weights files"
            )
        if index is None:
            if layer:
                unused.add(name.split(".")[0])
            continue
        axes = 1 if layer.endswith("_norm") else 4
        if tensor.ndim != axes:
            raise UserError(f"{path}: tensor {name} has {tensor.ndim} axes instead of {axes}")
        collector.add(layer, index, tensor)
    layers = {
        layer: [array.astype(np.float64) for array in arrays]
        for layer, arrays in collector.layers().items()
    }
    try:
        _to_keras(layers, variant)
        _fold_normalisation(layers, normalisation)
    except (KeyError, ValueError, IndexError) as error:
        raise UserError(
            f"{path}: its arrays do not fit together ({error}); the file is not whole"
        ) from error
    layers = {
        layer: [array.astype(np.float32) for array in arrays] for layer, arrays in layers.items()
    }
    classifier = tensors.get("fc.weight", tensors.get("classifier.0.weight"))
    found = f"a classifier of {len(classifier)} classes" if np.ndim(classifier) else "no classifier"
    return LayerWeights(
        f"ShuffleNet V2 in {owner} names, {found},",
        layers,
        tuple(sorted(unused)),
        unit_variant=variant,
    )


def _torchvision_name(name: str) -> str:
    """The name that torchvision gives to the same tensor of the authors' model."""
    for theirs, same in (
        ("first_conv.", "conv1."),
        ("conv_last.", "conv5."),
        ("classifier.0", "fc"),
    ):
        if name.startswith(theirs):
            return same + name.removeprefix(theirs)
    match = re.fullmatch(r"features\.(\d+)\.branch_(proj|main)\.(.+)", name)
    if match is None:
        return name
    index, branch = int(match[1]), {"proj": 1, "main": 2}[match[2]]
    for stage, units in zip((2, 3, 4), STAGE_UNITS):
        if index < units:
            return f"stage{stage}.{index}.branch{branch}.{match[3]}"
        index -= units
    return name


_UNIT_PARTS = {
    "branch1.0": "shortcut_depthwise",
    "branch1.1": "shortcut_depthwise_norm",
    "branch1.2": "shortcut_conv1x1",
    "branch1.3": "shortcut_conv1x1_norm",
    "branch2.0": "conv1x1_before",
    "branch2.1": "conv1x1_before_norm",
    "branch2.3": "depthwise",
    "branch2.4": "depthwise_norm",
    "branch2.5": "conv1x1_after",
    "branch2.6": "conv1x1_after_norm",
}


def _place(name: str) -> tuple[str | None, int | None]:
    """(layer, number of the array); ("", None) for counters, (name, None) for the classifier."""
    scope, _, kind = name.rpartition(".")
    if kind == "num_batches_tracked":
        return "", None
    if scope.split(".")[0] in ("conv5", "fc"):
        return scope, None
    if scope in ("conv1.0", "conv1.1"):
        layer = "stem" if scope == "conv1.0" else "stem_norm"
    else:
        match = re.fullmatch(r"stage([234])\.(\d+)\.(branch[12]\.\d)", scope)
        if match is None or match[3] not in _UNIT_PARTS:
            return None, None
        layer = f"stage{match[1]}_unit{int(match[2]) + 1}_{_UNIT_PARTS[match[3]]}"
    index = _NORM_ARRAYS.get(kind) if layer.endswith("_norm") else 0 if kind == "weight" else None
    return (None, None) if index is None else (layer, index)


def _to_keras(layers: dict[str, list[np.ndarray]], variant: str) -> None:
    """Change layout, channel order and batch norms' epsilon in place."""
    for layer, arrays in layers.items():
        if layer.endswith("_norm"):
            gamma, _, _, variance = arrays
            # Ours divides by √(variance + 1e-3).
            arrays[0] = gamma * np.sqrt(
                (variance + BATCH_NORM_EPSILON) / (variance + TORCH_EPSILON)
            )
        elif layer.endswith("depthwise"):
            arrays[0] = arrays[0].transpose(2, 3, 0, 1)  # [channels, 1, 3, 3] → [3, 3, channels, 1]
        else:
            arrays[0] = arrays[0].transpose(2, 3, 1, 0)

    order = np.arange(layers["stem"][0].shape[-1])  # the file's channel of each of ours
    for stage, units in zip((2, 3, 4), STAGE_UNITS):
        first = f"stage{stage}_unit1"
        _take_inputs(layers, f"{first}_shortcut_depthwise", order)
        _take_inputs(layers, f"{first}_shortcut_conv1x1", order)
        _take_inputs(layers, f"{first}_conv1x1_before", order)
        _mirror_outputs(layers, f"{first}_shortcut_conv1x1")
        _mirror_outputs(layers, f"{first}_conv1x1_after")
        for unit in range(2, units + 1):
            before = f"stage{stage}_unit{unit}_conv1x1_before"
            _take_inputs(layers, before, slice(None, None, -1))
            _mirror_outputs(layers, f"stage{stage}_unit{unit}_conv1x1_after")
        half = layers[f"stage{stage}_unit{units}_conv1x1_after"][0].shape[-1]
        order = np.arange(2 * half)[::-1]
        if variant == "torchvision":  # shuffles behind a stage's last unit, too
            order = 2 * (order % half) + order // half


def _take_inputs(layers, layer: str, order) -> None:
    """Reorder what a convolution reads; a depthwise one writes in the same order."""
    layers[layer][0] = layers[layer][0][:, :, order]
    if layer.endswith("depthwise"):
        layers[f"{layer}_norm"] = [array[order] for array in layers[f"{layer}_norm"]]


def _mirror_outputs(layers, layer: str) -> None:
    layers[layer][0] = layers[layer][0][..., ::-1]
    layers[f"{layer}_norm"] = [array[::-1] for array in layers[f"{layer}_norm"]]


def _fold_normalisation(layers, normalisation: _Normalisation) -> None:
    """Let the stem take RGB in [-1, 1] instead of the file's normalised image.

    kernel ∗ (scale·x + shift) = (kernel·scale) ∗ x + Σ kernel·shift; the sum, one number a
    channel, leaves with the batch norm's mean. Where the kernel reaches over the image's edge the
    file's network sees zeros behind its normalisation, and ours sees x = 0 before it.
    """
    kernel = layers["stem"][0][:, :, list(normalisation.channels)]
    scale = np.asarray(normalisation.scale)[list(normalisation.channels)]
    shift = np.asarray(normalisation.shift)[list(normalisation.channels)]
    layers["stem"][0] = kernel * scale[:, None]
    layers["stem_norm"][2] = layers["stem_norm"][2] - np.einsum("rcio,i->o", kernel, shift)
