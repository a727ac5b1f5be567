from .segmentation_model import pp_mobileseg_tiny
from .strideformer import strideformer_tiny_backbone

__all__ = ["pp_mobileseg_tiny", "strideformer_tiny_backbone"]
