"""The networks that can be built, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from .heads import segmentation_head
from .mobilenet_v2 import mobilenet_v2_segmentation
from .shufflenet_v2 import shufflenet_v2_segmentation
from .skipnet import skipnet_mobilenet, skipnet_shufflenet


@dataclass(frozen=True)
class Architecture:
    """One network.

    Attributes:
        title: as its authors write it.
        source: who published it, and where.
        network: (inputs [B, H, W, 3] in [-1, 1], num_classes, **options) → float logits
            [B, h, w, num_classes] at the resolution at which the network classifies, made by a
            layer named "logits". Raises ValueError where an option is out of its range.
        hands_on_to: the function that takes what `network` hands on as keywords.
    """

    title: str
    source: str
    network: Callable
    hands_on_to: Callable | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the keyword arguments that `network` takes, sorted."""
        functions = [self.network, *([self.hands_on_to] if self.hands_on_to else [])]
        return tuple(
            sorted(
                {
                    name
                    for function in functions
                    for name, parameter in inspect.signature(function).parameters.items()
                    if parameter.default is not inspect.Parameter.empty
                }
            )
        )


ARCHITECTURES = {
    "shufflenet_v2": Architecture(
        "ShuffleNet V2 + DeepLabv3 heads",
        "Türkmen & Heikkilä 2019",
        shufflenet_v2_segmentation,
        segmentation_head,
    ),
    "mobilenet_v2": Architecture(
        "MobileNetV2 + DeepLabv3 heads",
        "Sandler et al. 2018, arXiv:1801.04381",
        mobilenet_v2_segmentation,
        segmentation_head,
    ),
    "shuffleseg": Architecture(
        "ShuffleSeg", "Gamal et al. 2018, arXiv:1803.03816", skipnet_shufflenet
    ),
    "skipnet_shufflenet": Architecture(
        "SkipNet-ShuffleNet", "Siam et al. 2018, arXiv:1803.02758", skipnet_shufflenet
    ),
    "skipnet_mobilenet": Architecture(
        "SkipNet-MobileNet", "Siam et al. 2018, arXiv:1803.02758", skipnet_mobilenet
    ),
}
