"""shuffleseg: semantic segmentation for small computers.

    from shuffleseg_core import Segmenter
    labels = Segmenter().segment(rgb)  # uint8 [H, W, 3] → uint8 [H, W]

Importing this package needs numpy and OpenCV alone. Models (`shuffleseg_core.models`) need
Keras, exporting (`shuffleseg_core.export`) TensorFlow.
"""

from .class_remapping import ClassRemapping
from .colorize import colorize, overlay
from .errors import UserError
from .label_map import LabelMap
from .segmenter import Segmenter, StageTimings
from .shipped_models import default_model_path, shipped_models

__version__ = "0.1.0"

__all__ = [
    "ClassRemapping",
    "LabelMap",
    "Segmenter",
    "StageTimings",
    "UserError",
    "colorize",
    "default_model_path",
    "overlay",
    "shipped_models",
]
