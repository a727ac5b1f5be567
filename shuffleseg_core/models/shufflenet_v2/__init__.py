from .backbone import (
    BATCH_NORM_EPSILON,
    STAGE_UNITS,
    STAGE_WIDTHS,
    UNIT_VARIANTS,
    shufflenet_v2_backbone,
    unit_variant_of,
)
from .basic_head import basic_head
from .dpc_head import dpc_head, load_dpc_cell
from .segmentation_model import HEADS, shufflenet_v2_segmentation

__all__ = [
    "BATCH_NORM_EPSILON",
    "HEADS",
    "STAGE_UNITS",
    "STAGE_WIDTHS",
    "UNIT_VARIANTS",
    "basic_head",
    "dpc_head",
    "load_dpc_cell",
    "shufflenet_v2_backbone",
    "shufflenet_v2_segmentation",
    "unit_variant_of",
]
