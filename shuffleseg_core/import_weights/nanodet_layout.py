"""NanoDet-m's backbone (RangiLyu/nanodet, trained on COCO): a ShuffleNet V2 of torchvision's kind.

Its published ncnn files have batch norms folded into convolutions. Here they become batch norms
that only add the bias; whoever trains on measures what they see (`LayerWeights.folded_norms`).
NanoDet-m has leaky ReLU (slope 0.1) where ShuffleNet V2 has ReLU, so that the features are near
those of the file, not equal.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..models.shufflenet_v2 import STAGE_UNITS
from .layer_weights import LayerWeights
from .ncnn_file import NcnnConvolution
from .torch_layouts import TORCH_EPSILON, from_state_dict


def _backbone() -> list[tuple[str, int, int, bool]]:
    """(torchvision's name, kernel, stride, depthwise) of the convolutions, in the file's order."""
    layers = [("conv1.0", 3, 2, False)]
    for stage, units in zip((2, 3, 4), STAGE_UNITS):
        for unit in range(units):
            name, stride = f"stage{stage}.{unit}", 1 if unit else 2
            if unit == 0:
                layers += [(f"{name}.branch1.0", 3, 2, True), (f"{name}.branch1.2", 1, 1, False)]
            layers += [
                (f"{name}.branch2.0", 1, 1, False),
                (f"{name}.branch2.3", 3, stride, True),
                (f"{name}.branch2.5", 1, 1, False),
            ]
    return layers


def from_nanodet(convolutions: list[NcnnConvolution], path: Path) -> LayerWeights:
    """Name the backbone's convolutions after our layers, in our layout.

    Args:
        convolutions: of the whole detector.
        path: the file, for messages.

    Raises:
        UserError: these are not NanoDet-m's.
    """
    expected = _backbone()
    if len(convolutions) <= len(expected):
        raise UserError(
            f"{path}: has {len(convolutions)} convolutions, and NanoDet-m's backbone alone has "
            f"{len(expected)}; give nanodet_m.bin as published"
        )
    tensors = {}
    for found, (name, kernel, stride, depthwise) in zip(convolutions, expected):
        width = len(found.weights)
        layout = (*found.weights.shape[2:], found.stride, found.groups)
        if layout != (kernel, kernel, stride, width if depthwise else 1):
            raise UserError(
                f"{path}: its layer {found.name} is not {name} of NanoDet-m's ShuffleNet V2; give "
                "nanodet_m.bin as published"
            )
        scope, _, index = name.rpartition(".")
        norm = f"{scope}.{int(index) + 1}"
        tensors[f"{name}.weight"] = found.weights
        tensors[f"{norm}.weight"] = np.full(width, np.sqrt(1 + TORCH_EPSILON))
        tensors[f"{norm}.bias"] = found.biases
        tensors[f"{norm}.running_mean"] = np.zeros(width)
        tensors[f"{norm}.running_var"] = np.ones(width)
    # ncnn's images are BGR, with torchvision's means and deviations times 255.
    tensors["conv1.0.weight"] = tensors["conv1.0.weight"][:, ::-1]
    return replace(
        from_state_dict(tensors, path),
        description="NanoDet-m's ncnn backbone, from COCO,",
        unused=("the detector's neck and heads",),
        origin="NanoDet-m (COCO)",
        folded_norms=True,
    )
