"""Other ways from logits at output stride to labels of a camera's size, to compare with."""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np

from ..interpreter import open_interpreter
from ..segmenter import Segmenter, StageTimings

#: Writes labels uint8 [H, W] of logits float32 [h, w, C].
ToLabels = Callable[[np.ndarray, np.ndarray], None]


def all_logits(logits: np.ndarray, out: np.ndarray) -> None:
    """The usual way: every class's logits enlarged by OpenCV, then numpy's argmax."""
    planes = [cv2.resize(plane, out.shape[::-1]) for plane in np.moveaxis(logits, -1, 0)]
    np.copyto(out, np.stack(planes).argmax(axis=0), casting="unsafe")


def valid_classes(logits: np.ndarray, out: np.ndarray) -> None:
    """PP-MobileSeg's "valid interpolate module" (section 3.4): only classes that are the largest at
    some sample are enlarged. Not exact: one may be the largest only between samples."""
    ids = np.unique(logits.argmax(axis=-1))
    planes = [cv2.resize(np.ascontiguousarray(logits[..., i]), out.shape[::-1]) for i in ids]
    np.take(ids.astype(np.uint8), np.stack(planes).argmax(axis=0), out=out)


class InGraph:
    """Resize and argmax as LiteRT does them at the end of a `labels` file.

    Args:
        shape: (h, w, C) of the logits.
        size: (width, height) of the labels.
        num_threads: CPU threads.
    """

    def __init__(self, shape: tuple[int, int, int], size: tuple[int, int], num_threads: int):
        import tensorflow as tf

        from ..export.tflite_export import labels_of, quietly

        @tf.function(input_signature=[tf.TensorSpec((1, *shape), tf.float32)])
        def label(logits):
            return labels_of(tf, logits, size, align_corners=False)

        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [label.get_concrete_function()], tf.Module()
        )
        with quietly():
            self._interpreter = open_interpreter(converter.convert(), num_threads)
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def __call__(self, logits: np.ndarray, out: np.ndarray) -> None:
        self._interpreter.set_tensor(self._input, logits[None])
        self._interpreter.invoke()
        np.copyto(out, self._interpreter.tensor(self._output)()[0], casting="unsafe")


class WithLabels:
    """A network whose labels are made in another way than the Segmenter's."""

    def __init__(self, segmenter: Segmenter, to_labels: ToLabels):
        self._segmenter, self._to_labels = segmenter, to_labels
        self.timings: StageTimings | None = None

    def segment(self, rgb: np.ndarray, out: np.ndarray) -> None:
        start = time.perf_counter()
        logits = self._segmenter.logits(rgb)
        inferred = time.perf_counter()
        self._to_labels(logits, out)
        self.timings = StageTimings(0.0, inferred - start, time.perf_counter() - inferred)


class LabelsAlone:
    """Only the labels, of logits computed before: `segment` takes these instead of an image."""

    def __init__(self, to_labels: ToLabels):
        self._to_labels = to_labels
        self.timings: StageTimings | None = None

    def segment(self, logits: np.ndarray, out: np.ndarray) -> None:
        start = time.perf_counter()
        self._to_labels(logits, out)
        self.timings = StageTimings(0.0, 0.0, time.perf_counter() - start)
