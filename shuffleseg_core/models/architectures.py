"""The networks that can be built, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from .bisenet_v2 import bisenet_v2
from .fast_scnn import fast_scnn
from .heads import segmentation_head
from .mobilenet_v2 import mobilenet_v2_segmentation
from .pidnet import pidnet_s
from .shufflenet_v2 import shufflenet_v2_segmentation


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
    "fast_scnn": Architecture("Fast-SCNN", "Poudel et al. 2019, arXiv:1902.04502", fast_scnn),
    "bisenet_v2": Architecture("BiSeNet V2", "Yu et al. 2021, arXiv:2004.02147", bisenet_v2),
    "pidnet_s": Architecture("PIDNet-S", "Xu et al. 2023, arXiv:2206.02066", pidnet_s),
}
