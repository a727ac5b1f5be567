"""Images in, class ids out: the runtime of the project. Needs neither TensorFlow nor ROS."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .class_probabilities import class_probabilities, enlarge_probability, probability_grid
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

    The file is read once: whatever happens to it afterwards, the model stays what it was.

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
        self._interpreter = open_interpreter(file.data, num_threads, self.model_path)
        self._input = NetworkInput(self._interpreter, self.model_path, self.description)
        self.input_size = self._input.size
        num_classes = self._read_output(file)
        self._check_description(num_classes)
        self.label_map = (
            self.description.label_map if self.description else LabelMap.anonymous(num_classes)
        )
        self._align_corners = self.description.align_corners if self.description else False
        self._upsample = LabelUpsampler(self._align_corners)
        self._planes: np.ndarray | None = None  # probabilities of this frame, once asked for
        self.timings: StageTimings | None = None

    def segment(
        self,
        image: np.ndarray,
        out: np.ndarray | None = None,
        *,
        size: tuple[int, int] | None = None,
        order: str = "rgb",
    ) -> np.ndarray:
        """Label one image.

        Args:
            image: uint8 [H, W, 3], any size; it is scaled to the network's input size.
            out: uint8 [h, w], C-contiguous, to write the ids into; None takes a new array.
            size: (width, height) of the labels; None takes the image's.
            order: of the image's channels, `rgb` or `bgr`; labels are the same.

        Returns:
            uint8 [h, w] class ids.

        Raises:
            ValueError: `image` or `out` is no such array, or `size` or `order` is none.
        """
        _check_image(image, order)
        out = _labels_array(out, size or image.shape[1::-1])
        start = time.perf_counter()
        self._planes = None
        self._input.feed(image, order)
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
        _check_image(rgb, "rgb")
        self._planes = None
        self._input.feed(rgb)
        self._interpreter.invoke()
        return self._read_logits()

    def probabilities(self) -> np.ndarray:
        """Each class's probability in the last segmented frame: softmax of its logits.

        Returns:
            float32 [h, w, C], 0–1, which sum to 1 over the classes; read-only. h and w are those
            of the logits, or a quarter of the network's input where that is more.

        Raises:
            UserError: the file's `output` is `labels`.
            ValueError: no frame was segmented yet.
        """
        return self._probability_planes().transpose(1, 2, 0)

    def confidence(self, size: tuple[int, int], out: np.ndarray | None = None) -> np.ndarray:
        """How sure the network is of the last segmented frame's likeliest classes.

        Args:
            size: (width, height) wanted, the labels' as a rule.
            out: uint8 [height, width], C-contiguous, to write into; None takes a new array.

        Returns:
            uint8 [height, width]: the largest of the classes' probabilities · 255.

        Raises:
            UserError: the file's `output` is `labels`.
            ValueError: no frame was segmented yet, or `out` is no such array.
        """
        return self._enlarge(self._probability_planes().max(0), size, out)

    def probability(
        self,
        class_ids: int | Sequence[int],
        size: tuple[int, int],
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """One class's probability in the last segmented frame, or that of any of several.

        Args:
            class_ids: which class or classes.
            size: (width, height) wanted, the labels' as a rule.
            out: uint8 [height, width], C-contiguous, to write into; None takes a new array.

        Returns:
            uint8 [height, width]: the probability (of several the sum) · 255.

        Raises:
            UserError: the file's `output` is `labels`.
            ValueError: no such class, no frame was segmented yet, or `out` is no such array.
        """
        planes = self._probability_planes()
        ids = [class_ids] if np.ndim(class_ids) == 0 else list(class_ids)
        if not ids or min(ids) < 0 or max(ids) >= len(planes):
            raise ValueError(f"classes {ids}: the model has 0 to {len(planes) - 1}")
        chosen = planes[ids[0]] if len(ids) == 1 else planes[ids].sum(0)
        return self._enlarge(chosen, size, out)

    def _read_logits(self) -> np.ndarray:
        """float32 [h, w, C], a new array."""
        output = self._interpreter.get_tensor(self._output_index)[0].astype(np.float32)
        scale, zero = self._interpreter.get_output_details()[0]["quantization"]
        return (output - zero) * scale if scale else output

    def _probability_planes(self) -> np.ndarray:
        """float32 [C, h, w], computed once a frame."""
        if self.output != "logits":
            raise UserError(
                f"model {self.model_path}: gives labels, without probabilities; "
                "export it with --form logits"
            )
        if self.timings is None:
            raise ValueError("no frame was segmented yet")
        if self._planes is None:
            logits = self._read_logits()
            grid = probability_grid(logits.shape[1::-1], self.input_size)
            self._planes = class_probabilities(logits, grid, self._align_corners)
            self._planes.flags.writeable = False
        return self._planes

    def _enlarge(self, probability, size, out) -> np.ndarray:
        out = _labels_array(out, size)
        return enlarge_probability(probability, size, self._align_corners, out)

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


def _check_image(image: np.ndarray, order: str) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"an image is uint8 [H, W, 3]; this is {image.dtype} {image.shape}")
    if order not in ("rgb", "bgr"):
        raise ValueError(f"order is {order!r}; give 'rgb' or 'bgr'")


def _labels_array(out: np.ndarray | None, size: tuple[int, int]) -> np.ndarray:
    """`out`, or a new array, of (width, height)."""
    shape = size[1], size[0]
    if min(shape) < 1:
        raise ValueError(f"size is {size}; give (width, height), each 1 or more")
    if out is None:
        return np.empty(shape, np.uint8)
    if out.dtype != np.uint8 or out.shape != shape or not out.flags.c_contiguous:
        raise ValueError(f"out is {out.dtype} {out.shape}; give a whole uint8 {shape}")
    return out
