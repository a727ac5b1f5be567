from .backbone import STAGE_WIDTHS, shufflenet_v2_backbone
from .basic_head import basic_head
from .dpc_head import dpc_head, load_dpc_cell
from .segmentation_model import HEADS, shufflenet_v2_segmentation

__all__ = [
    "HEADS",
    "STAGE_WIDTHS",
    "basic_head",
    "dpc_head",
    "load_dpc_cell",
    "shufflenet_v2_backbone",
    "shufflenet_v2_segmentation",
]
