"""What `shuffleseg tables` measures: the systems of the paper's tables and later ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import UserError


@dataclass(frozen=True)
class System:
    """One row of the tables.

    Attributes:
        key: names it on the command line and in JSON.
        title: names it for readers.
        architecture: a key of `models.ARCHITECTURES`.
        options: of the architecture's function.
        loss: what it is trained with, where that is what makes the system.
        ours: whether it is what this project ships, which the others are compared with.
    """

    key: str
    title: str
    architecture: str
    options: Mapping = field(default_factory=dict)
    loss: str | None = None
    ours: bool = False

    @property
    def network(self) -> str:
        """A name for files. Systems of the same network, and so of the same cost, share it."""
        return "_".join([self.architecture, *(f"{k}-{v}" for k, v in sorted(self.options.items()))])


SYSTEMS = (
    System("segnet", "SegNet", "segnet"),
    System("enet", "ENet", "enet"),
    System("enet_lovasz", "ENet + Lovász-Softmax", "enet", loss="cross_entropy_lovasz"),
    System("shuffleseg", "ShuffleSeg", "skipnet_shufflenet"),  # the same network, published twice
    System("skipnet_shufflenet", "SkipNet-ShuffleNet", "skipnet_shufflenet"),
    System("skipnet_mobilenet", "SkipNet-MobileNet", "skipnet_mobilenet"),
    System("mobilenet_v2_basic", "MobileNetV2 + basic", "mobilenet_v2", {"head": "basic"}),
    System("mobilenet_v2_dpc", "MobileNetV2 + DPC", "mobilenet_v2", {"head": "dpc"}),
    System(
        "shufflenet_v2_basic",
        "ShuffleNet V2 + basic (ours)",
        "shufflenet_v2",
        {"head": "basic"},
        ours=True,
    ),
    System(
        "shufflenet_v2_dpc",
        "ShuffleNet V2 + DPC (ours)",
        "shufflenet_v2",
        {"head": "dpc"},
        ours=True,
    ),
    System(
        "shufflenet_v2_decoder_4",
        "ShuffleNet V2 + basic, decoder at stride 4 (ours, not the paper's)",
        "shufflenet_v2",
        {"head": "basic", "decoder_stride": 4},
    ),
    System("fast_scnn", "Fast-SCNN", "fast_scnn"),
    System("bisenet_v2", "BiSeNet V2", "bisenet_v2"),
    System("pidnet_s", "PIDNet-S", "pidnet_s"),
    System("lraspp", "LR-ASPP (MobileNetV3-Large)", "lraspp"),
    System("topformer_tiny", "TopFormer-Tiny", "topformer_tiny"),
    System("seaformer_small", "SeaFormer-Small", "seaformer_small"),
    System("pp_mobileseg_tiny", "PP-MobileSeg-Tiny", "pp_mobileseg_tiny"),
)


def choose_systems(
    names: str | None, architectures: Mapping
) -> tuple[Sequence[System], Sequence[System]]:
    """The systems to measure, in the tables' order, and those left out for want of a network.

    Args:
        names: keys with commas between; None takes all that can be built.
        architectures: the networks that there are, by name.

    Raises:
        UserError: a name is not known, or asks for a network that there is not.
    """
    if names is None:
        built = [system for system in SYSTEMS if system.architecture in architectures]
        if not built:
            raise UserError("none of the systems' networks is there")
        return built, [system for system in SYSTEMS if system not in built]
    known = {system.key: system for system in SYSTEMS}
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            raise UserError(f"--systems: {name!r} is not known; choose from {', '.join(known)}")
    for name in wanted:
        architecture = known[name].architecture
        if architecture not in architectures:
            raise UserError(
                f"--systems: {name} needs the architecture {architecture}, which is not there"
            )
    return [system for system in SYSTEMS if system.key in wanted], []
