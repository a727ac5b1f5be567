"""What turns a backbone's features into logits; the same for every backbone."""

from .basic_head import basic_head
from .dpc_head import dpc_head, load_dpc_cell
from .segmentation_head import HEADS, segmentation_head

__all__ = ["HEADS", "basic_head", "dpc_head", "load_dpc_cell", "segmentation_head"]
