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


def resize_to_input(rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A camera image uint8 [H, W, 3] at a network's input size (width, height); itself if it is."""
    width, height = size
    if rgb.shape[:2] == (height, width):
        return rgb
    shrinks = rgb.shape[0] > height and rgb.shape[1] > width
    # Averaging over areas keeps thin things that sampling between 4 pixels would miss.
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(rgb, size, interpolation=interpolation)


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
        self._read_input()
        num_classes = self._read_output(file)
        self._check_description(num_classes)
        self.label_map = (
            self.description.label_map if self.description else LabelMap.anonymous(num_classes)
        )
        self._upsample = LabelUpsampler(
            align_corners=self.description.align_corners if self.description else False
        )
        self.timings: StageTimings | None = None

    def segment(self, rgb: np.ndarray) -> np.ndarray:
        """Label one image.

        Args:
            rgb: uint8 [H, W, 3], any size; it is scaled to the network's input size.

        Returns:
            uint8 [H, W] class ids, a new array.

        Raises:
            ValueError: `rgb` is no such array.
        """
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
            raise ValueError(f"an image is uint8 [H, W, 3]; this is {rgb.dtype} {rgb.shape}")
        start = time.perf_counter()
        self._feed(rgb)
        fed = time.perf_counter()
        self._interpreter.invoke()
        inferred = time.perf_counter()
        labels = self._labels((rgb.shape[1], rgb.shape[0]))
        end = time.perf_counter()
        self.timings = StageTimings(fed - start, inferred - fed, end - inferred)
        return labels

    def _feed(self, rgb: np.ndarray) -> None:
        rgb = resize_to_input(rgb, self.input_size)
        if self._table is not None:
            rgb = self._table[rgb]
        # A view of the interpreter's own memory: converting into it makes no copy between.
        np.copyto(self._interpreter.tensor(self._input_index)()[0], rgb)

    def _labels(self, size: tuple[int, int]) -> np.ndarray:
        output = self._interpreter.tensor(self._output_index)()[0]
        if self.output == "logits":
            # Quantized logits share one scale, so that their raw values rank alike.
            return self._upsample(output, size)
        labels = output.reshape(output.shape[:2]).astype(np.uint8)
        if labels.shape != size[::-1]:
            labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT)
        return labels

    def _read_input(self) -> None:
        inputs = self._interpreter.get_input_details()
        shape = tuple(int(n) for n in inputs[0]["shape"]) if len(inputs) == 1 else ()
        if len(shape) != 4 or shape[0] != 1 or shape[3] != 3 or min(shape) < 1:
            raise UserError(
                f"model {self.model_path}: takes {[tuple(i['shape']) for i in inputs]}; "
                "a segmentation model takes one image [1, height, width, 3]"
            )
        if min(inputs[0].get("shape_signature", shape)) < 0:
            raise UserError(
                f"model {self.model_path}: takes images of any size, so that none can be chosen; "
                "export it for one size"
            )
        self._input_index = inputs[0]["index"]
        self.input_size = (shape[2], shape[1])
        table = self._input_table(np.dtype(inputs[0]["dtype"]), inputs[0]["quantization"])
        # Most models take the pixels as they are.
        self._table = None if np.array_equal(table, np.arange(256)) else table

    def _input_table(self, dtype: np.dtype, quantization: tuple[float, int]) -> np.ndarray:
        """[256] of the input's dtype: what each pixel value is fed as.

        Without a description, float inputs are taken to want 0–255, and 8-bit inputs all of
        their range, from black to white.
        """
        if dtype not in (np.float32, np.uint8, np.int8):
            raise UserError(
                f"model {self.model_path}: input is {dtype.name}; "
                "float32, uint8 and int8 can be fed"
            )
        low, high = self.description.input_range if self.description else (0.0, 255.0)
        real = low + np.arange(256) * ((high - low) / 255.0)
        if dtype == np.float32:
            return real.astype(np.float32)
        limits = np.iinfo(dtype)
        scale, zero = quantization
        if not scale or self.description is None:
            return (np.arange(256) + limits.min).astype(dtype)
        return np.clip(np.round(real / scale) + zero, limits.min, limits.max).astype(dtype)

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
