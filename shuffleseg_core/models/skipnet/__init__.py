from .mobilenet_v1 import mobilenet_v1_backbone
from .segmentation_model import skipnet_mobilenet, skipnet_shufflenet
from .shufflenet_v1 import STAGE_WIDTHS, shufflenet_v1_backbone

__all__ = [
    "STAGE_WIDTHS",
    "mobilenet_v1_backbone",
    "shufflenet_v1_backbone",
    "skipnet_mobilenet",
    "skipnet_shufflenet",
]
