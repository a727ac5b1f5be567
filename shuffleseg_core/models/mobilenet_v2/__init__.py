from .backbone import mobilenet_v2_backbone
from .segmentation_model import mobilenet_v2_segmentation

__all__ = ["mobilenet_v2_backbone", "mobilenet_v2_segmentation"]
