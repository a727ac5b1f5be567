"""Images in, class ids out: the runtime of the project. Needs neither TensorFlow nor ROS."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import cv2
import numpy as np

from .errors import UserError
from .interpreter import open_interpreter
from .label_map import LabelMap
from .model_description import read_description
from .network_input import NetworkInput
from .shipped_models import find_model
from .size import format_size
from .tflite_file import TFLiteFile
from .upsampling import LabelUpsampler

MAX_THREADS = 64


@dataclass(frozen=True)
class StageTimings:
    """Seconds that each stage of one frame took.

    Attributes:
        preprocess: camera image → network input.
        inference: the network.
        postprocess: network output → ids at the image's size.
    """

    preprocess: float
    inference: float
    postprocess: float

    @property
    def total(self) -> float:
        return self.preprocess + self.inference + self.postprocess


class Segmenter:
    """A .tflite model, ready to label images. Not for use by two threads at once.

    Args:
        model: path of a .tflite file, or the name of a shipped model (see `shipped_models`);
            None takes the default one of these.
        num_threads: CPU threads for one inference, 1 to 64.

    Attributes:
        model_path: the file in use.
        description: what the file says of itself, or None.
        label_map: the classes; class_0, class_1 … for a file without description.
        input_size: (width, height) of the network's input in pixels.
        output: `labels` or `logits`: which of both the file ends with.
        num_threads: as given.
        timings: `StageTimings` of the last frame, None before the first.

    Raises:
        UserError: no such file, not a TFLite model, not a segmentation model that this class
            can run, or one that disagrees with its own description.
    """

    def __init__(self, model: str | os.PathLike | None = None, num_threads: int = 2):
        if not 1 <= num_threads <= MAX_THREADS:
            raise UserError(f"num_threads is {num_threads}; give 1 to {MAX_THREADS}")
        self.model_path = find_model(model)
        self.num_threads = num_threads
        file = TFLiteFile(self.model_path)
        self.description = read_description(file)
        self._interpreter = open_interpreter(self.model_path, num_threads)
        self._input = NetworkInput(self._interpreter, self.model_path, self.description)
        self.input_size = self._input.size
        num_classes = self._read_output(file)
        self._check_description(num_classes)
        self.label_map = (
            self.description.label_map if self.description else LabelMap.anonymous(num_classes)
        )
        self._upsample = LabelUpsampler(
            align_corners=self.description.align_corners if self.description else False
        )
        self.timings: StageTimings | None = None

    def segment(self, rgb: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Label one image.

        Args:
            rgb: uint8 [H, W, 3], any size; it is scaled to the network's input size.
            out: uint8 [H, W], C-contiguous, to write the ids into; None takes a new array.

        Returns:
            uint8 [H, W] class ids.

        Raises:
            ValueError: `rgb` or `out` is no such array.
        """
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
            raise ValueError(f"an image is uint8 [H, W, 3]; this is {rgb.dtype} {rgb.shape}")
        if out is None:
            out = np.empty(rgb.shape[:2], np.uint8)
        elif out.dtype != np.uint8 or out.shape != rgb.shape[:2] or not out.flags.c_contiguous:
            raise ValueError(f"out is {out.dtype} {out.shape}; give a whole uint8 {rgb.shape[:2]}")
        start = time.perf_counter()
        self._input.feed(rgb)
        fed = time.perf_counter()
        self._interpreter.invoke()
        inferred = time.perf_counter()
        self._label(out)
        end = time.perf_counter()
        self.timings = StageTimings(fed - start, inferred - fed, end - inferred)
        return out

    def logits(self, rgb: np.ndarray) -> np.ndarray:
        """The network's output before labels are chosen; only of files whose `output` is `logits`.

        Args:
            rgb: uint8 [H, W, 3], any size.

        Returns:
            float32 [h, w, C], a new array, in the network's own units also where it is quantized.
        """
        self._input.feed(rgb)
        self._interpreter.invoke()
        output = self._interpreter.get_tensor(self._output_index)[0].astype(np.float32)
        scale, zero = self._interpreter.get_output_details()[0]["quantization"]
        return (output - zero) * scale if scale else output

    def _label(self, out: np.ndarray) -> None:
        output = self._interpreter.tensor(self._output_index)()[0]
        size = out.shape[::-1]
        if self.output == "logits":
            # Quantized logits share one scale, so that their raw values rank alike.
            self._upsample(output, size, out)
            return
        labels = output.reshape(output.shape[:2])
        if labels.shape == out.shape:
            np.copyto(out, labels, casting="unsafe")
        else:
            labels = labels.astype(np.uint8)
            cv2.resize(labels, size, dst=out, interpolation=cv2.INTER_NEAREST_EXACT)

    def _read_output(self, file: TFLiteFile) -> int:
        """Find the output's form; returns the number of classes."""
        outputs = self._interpreter.get_output_details()
        shape = tuple(int(n) for n in outputs[0]["shape"]) if len(outputs) == 1 else ()
        dtype = np.dtype(outputs[0]["dtype"]) if outputs else None
        self._output_index = outputs[0]["index"] if outputs else None
        is_ids = dtype in (np.int32, np.int64, np.uint8) and (
            len(shape) == 3 or (len(shape) == 4 and shape[3] == 1)
        )
        if is_ids and shape[0] == 1:
            self.output = "labels"
            described = len(self.description.label_map) if self.description else 256
            return file.argmax_depth or described
        if len(shape) == 4 and shape[0] == 1 and shape[3] > 1 and dtype.kind in "fiu":
            self.output = "logits"
            return shape[3]
        raise UserError(
            f"model {self.model_path}: gives {[tuple(o['shape']) for o in outputs]}; a "
            "segmentation model gives logits [1, h, w, classes] or ids [1, h, w]"
        )

    def _check_description(self, num_classes: int) -> None:
        if num_classes > 256:
            raise UserError(f"model {self.model_path}: {num_classes} classes; 256 fit a uint8 id")
        if self.description is None:
            return
        described = (self.description.input_size, self.description.output)
        if described != (self.input_size, self.output):
            raise UserError(
                f"model {self.model_path}: takes {format_size(self.input_size)} and gives "
                f"{self.output}, but its description says {format_size(described[0])} and "
                f"{described[1]}; export the model again"
            )
        if len(self.description.label_map) != num_classes:
            raise UserError(
                f"model {self.model_path}: the network has {num_classes} classes but its "
                f"description names {len(self.description.label_map)}; export the model again"
            )
