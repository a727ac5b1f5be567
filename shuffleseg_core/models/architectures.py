"""The networks that can be built, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from .bisenet_v2 import bisenet_v2
from .enet import enet
from .fast_scnn import fast_scnn
from .heads import segmentation_head
from .mobilenet_v2 import mobilenet_v2_segmentation
from .mobilenet_v3 import lraspp_segmentation
from .pidnet import pidnet_s
from .pp_mobileseg import pp_mobileseg_tiny
from .seaformer import seaformer_segmentation, seaformer_small
from .segnet import segnet
from .shufflenet_v2 import shufflenet_v2_segmentation
from .skipnet import skipnet_mobilenet, skipnet_shufflenet
from .topformer import topformer_tiny


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
        has_backbone: whether its layers named stem… and stage… are a backbone that serves other
            heads, too.
    """

    title: str
    source: str
    network: Callable
    hands_on_to: Callable | None = None
    has_backbone: bool = False

    @property
    def defaults(self) -> dict:
        """The keyword arguments that `network` takes, by name, with their defaults."""
        functions = [self.network, *([self.hands_on_to] if self.hands_on_to else [])]
        found = {
            name: parameter.default
            for function in functions
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.default is not inspect.Parameter.empty
        }
        return dict(sorted(found.items()))


ARCHITECTURES = {
    # The paper's tables.
    "shufflenet_v2": Architecture(
        "ShuffleNet V2 + DeepLabv3 heads",
        "Türkmen & Heikkilä 2019",
        shufflenet_v2_segmentation,
        segmentation_head,
        has_backbone=True,
    ),
    "mobilenet_v2": Architecture(
        "MobileNetV2 + DeepLabv3 heads",
        "Sandler et al. 2018, arXiv:1801.04381",
        mobilenet_v2_segmentation,
        segmentation_head,
        has_backbone=True,
    ),
    "segnet": Architecture("SegNet", "Badrinarayanan et al. 2015, arXiv:1511.00561", segnet),
    "enet": Architecture("ENet", "Paszke et al. 2016, arXiv:1606.02147", enet),
    "shuffleseg": Architecture(
        "ShuffleSeg", "Gamal et al. 2018, arXiv:1803.03816", skipnet_shufflenet
    ),
    "skipnet_shufflenet": Architecture(
        "SkipNet-ShuffleNet", "Siam et al. 2018, arXiv:1803.02758", skipnet_shufflenet
    ),
    "skipnet_mobilenet": Architecture(
        "SkipNet-MobileNet", "Siam et al. 2018, arXiv:1803.02758", skipnet_mobilenet
    ),
    # Those that are chosen today.
    "fast_scnn": Architecture("Fast-SCNN", "Poudel et al. 2019, arXiv:1902.04502", fast_scnn),
    "bisenet_v2": Architecture("BiSeNet V2", "Yu et al. 2021, arXiv:2004.02147", bisenet_v2),
    "pidnet_s": Architecture("PIDNet-S", "Xu et al. 2023, arXiv:2206.02066", pidnet_s),
    "lraspp": Architecture(
        "LR-ASPP on MobileNetV3-Large",
        "Howard et al. 2019, arXiv:1905.02244",
        lraspp_segmentation,
        has_backbone=True,
    ),
    "topformer_tiny": Architecture(
        "TopFormer-Tiny", "Zhang et al. 2022, arXiv:2204.05525", topformer_tiny
    ),
    "seaformer_small": Architecture(
        "SeaFormer-Small",
        "Wan et al. 2023, arXiv:2301.13156",
        seaformer_small,
        seaformer_segmentation,
        has_backbone=True,
    ),
    "pp_mobileseg_tiny": Architecture(
        "PP-MobileSeg-Tiny",
        "Tang et al. 2023, arXiv:2304.05152",
        pp_mobileseg_tiny,
        has_backbone=True,
    ),
}
