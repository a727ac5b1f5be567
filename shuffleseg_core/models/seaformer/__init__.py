from .backbone import SIZES, seaformer_backbone
from .segmentation_model import seaformer_segmentation, seaformer_small

__all__ = ["SIZES", "seaformer_backbone", "seaformer_segmentation", "seaformer_small"]
