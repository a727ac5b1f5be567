"""Weights of a file under the names of this package's layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import UserError
from ..models.shufflenet_v2 import STAGE_WIDTHS

#: The layer whose channels are the classes.
CLASSIFIER = "logits"
#: Beginnings of the names of the backbone's layers.
BACKBONE = ("stem", "stage")


@dataclass(frozen=True)
class LayerWeights:
    """What a weights file gives to a network, already in Keras's layout and our channel order.

    Attributes:
        description: what it is, in words that " of FILE" can follow.
        layers: layer name → weights in the order of `layer.get_weights()`.
        unused: parts of the file that these networks have no place for, by name.
        unit_variant: the `unit_variant` that computes the file's function; None where the
            architecture has no such option.
        classes: names of the classifier's classes; None where the file does not tell.
        origin: the network that was trained and the data, where the file's name does not tell.
        folded_norms: the file has no batch norms' statistics; those here only carry biases.
    """

    description: str
    layers: dict[str, list[np.ndarray]]
    unused: tuple[str, ...] = ()
    unit_variant: str | None = None
    classes: tuple[str, ...] | None = None
    origin: str | None = None
    folded_norms: bool = False

    @property
    def shapes(self) -> dict[str, list[tuple[int, ...]]]:
        """Layer name → shapes of its weights."""
        return {name: [array.shape for array in arrays] for name, arrays in self.layers.items()}

    def backbone(self) -> LayerWeights:
        """These without head and classifier."""
        layers = {name: of for name, of in self.layers.items() if name.startswith(BACKBONE)}
        if len(layers) == len(self.layers):
            return self
        return replace(self, description=f"backbone of the {self.description}", layers=layers)


@dataclass
class LayerCollector:
    """Puts single arrays together to layers.

    Attributes:
        path: the file, for messages.
    """

    path: object
    _parts: dict[str, dict[int, np.ndarray]] = field(default_factory=dict)

    def add(self, layer: str, index: int, array: np.ndarray) -> None:
        """Array number `index` of a layer's weights."""
        if array.dtype.kind not in "fiu":
            raise UserError(f"{self.path}: layer {layer} has {array.dtype} where numbers belong")
        self._parts.setdefault(layer, {})[index] = array

    def layers(self) -> dict[str, list[np.ndarray]]:
        """Layer name → weights. Raises UserError where one of a layer's arrays is missing."""
        for layer, parts in self._parts.items():
            count = 4 if layer.endswith("_norm") else 2 if layer == CLASSIFIER else 1
            if sorted(parts) != list(range(count)):
                raise UserError(
                    f"{self.path}: layer {layer} has {len(parts)} of its {count} arrays; "
                    "the file is not whole"
                )
        return {
            layer: [np.asarray(parts[index], np.float32) for index in sorted(parts)]
            for layer, parts in self._parts.items()
        }


def network_options(shapes: Mapping[str, list[tuple[int, ...]]]) -> dict:
    """The options of `shufflenet_v2_segmentation` that layers' shapes tell.

    Args:
        shapes: layer name → shapes of its weights.

    Returns:
        `head` and `depth_multiplier`, each where it can be told.
    """
    options = {}
    for head, layer in (("basic", "aspp0_conv1x1"), ("dpc", "dpc0_conv1x1")):
        if layer in shapes:
            options["head"] = head
    if "stage2_unit2_conv1x1_after" in shapes:
        width = 2 * shapes["stage2_unit2_conv1x1_after"][0][-1]
        for multiplier, (first, *_) in STAGE_WIDTHS.items():
            if width == first:
                options["depth_multiplier"] = multiplier
    return options
