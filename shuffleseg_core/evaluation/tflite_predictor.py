"""Labels by a .tflite, as robots give them, or averaged with those of the mirrored image."""

from __future__ import annotations

import os

import numpy as np

from ..class_probabilities import class_probabilities
from ..errors import UserError
from ..segmenter import Segmenter


class TFLitePredictor:
    """A `Predictor` of a .tflite.

    Args:
        model: the file.
        num_threads: CPU threads.
        flip: average the classes' probabilities with those of the mirrored image.

    Raises:
        UserError: see `Segmenter`; or `flip` and a file that gives labels, not logits.
    """

    def __init__(self, model: str | os.PathLike, num_threads: int = 2, flip: bool = False):
        self._segmenter = Segmenter(model, num_threads)
        self._flip = flip
        self.source = self._segmenter.model_path
        self.num_classes = len(self._segmenter.label_map)
        described = self._segmenter.description is not None
        self.class_names = self._segmenter.label_map.names if described else None
        if flip and self._segmenter.output != "logits":
            raise UserError(
                f"--flip is not for {self.source}: it gives labels, which cannot be averaged; "
                "export it with --form logits"
            )

    def predict(self, rgb: np.ndarray) -> np.ndarray:
        if not self._flip:
            return self._segmenter.segment(rgb)
        total = self._probabilities(rgb)
        total += self._probabilities(np.ascontiguousarray(rgb[:, ::-1]))[:, :, ::-1]
        return total.argmax(0).astype(np.uint8)

    def _probabilities(self, rgb: np.ndarray) -> np.ndarray:
        description = self._segmenter.description
        return class_probabilities(
            self._segmenter.logits(rgb),
            (rgb.shape[1], rgb.shape[0]),
            align_corners=description.align_corners if description else False,
        )
