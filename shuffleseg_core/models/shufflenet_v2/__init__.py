from .backbone import (
    BATCH_NORM_EPSILON,
    STAGE_UNITS,
    STAGE_WIDTHS,
    UNIT_VARIANTS,
    shufflenet_v2_backbone,
    unit_variant_of,
)
from .segmentation_model import shufflenet_v2_segmentation

__all__ = [
    "BATCH_NORM_EPSILON",
    "STAGE_UNITS",
    "STAGE_WIDTHS",
    "UNIT_VARIANTS",
    "shufflenet_v2_backbone",
    "shufflenet_v2_segmentation",
    "unit_variant_of",
]
