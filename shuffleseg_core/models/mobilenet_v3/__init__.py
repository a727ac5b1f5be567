from .backbone import mobilenet_v3_large_backbone
from .segmentation_model import lraspp_segmentation

__all__ = ["lraspp_segmentation", "mobilenet_v3_large_backbone"]
