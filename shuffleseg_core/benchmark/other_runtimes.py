"""Other runtimes with the same network, behind the interface that the Segmenter is timed by."""

from __future__ import annotations

import os
import time

import cv2
import numpy as np

from ..errors import needs_extra
from ..network_input import resize_to_input
from ..segmenter import StageTimings
from ..upsampling import LabelUpsampler


class OnnxPipeline:
    """A network in ONNX (see `export_onnx`) that ends with class ids of its input's size, or with
    logits, which are then enlarged as the Segmenter does it.

    Attributes:
        input_size: (width, height) of its input.
        timings: of the last frame.
    """

    def __init__(self, input_size: tuple[int, int]):
        self.input_size = input_size
        width, height = input_size
        self._image = np.empty((1, height, width, 3), np.uint8)
        self._upsample = LabelUpsampler()
        self.timings: StageTimings | None = None

    def segment(self, rgb: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Label uint8 [H, W, 3] into uint8 [H, W]."""
        start = time.perf_counter()
        resized = resize_to_input(rgb, self.input_size, self._image[0])
        if resized is not self._image[0]:
            np.copyto(self._image[0], resized)
        fed = time.perf_counter()
        labels = self._infer(self._image)[0]
        inferred = time.perf_counter()
        if labels.ndim == 3:
            self._upsample(np.moveaxis(labels, 0, -1), out.shape[::-1], out)
        elif labels.shape == out.shape:
            np.copyto(out, labels, casting="unsafe")
        else:
            labels = labels.astype(np.uint8)
            cv2.resize(labels, out.shape[::-1], dst=out, interpolation=cv2.INTER_NEAREST_EXACT)
        end = time.perf_counter()
        self.timings = StageTimings(fed - start, inferred - fed, end - inferred)
        return out

    def _infer(self, image: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class OnnxRuntimePipeline(OnnxPipeline):
    """Run by ONNX Runtime. Raises UserError where it is not installed."""

    name = "ONNX Runtime"

    def __init__(self, path: str | os.PathLike, input_size: tuple[int, int], num_threads: int):
        super().__init__(input_size)
        try:
            import onnxruntime
        except ImportError as error:
            raise needs_extra("ONNX Runtime is not installed", error, "benchmark") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        # Its threads may wait busily within a run, but not while others take their turns.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self._session = onnxruntime.InferenceSession(
            os.fspath(path), options, providers=["CPUExecutionProvider"]
        )

    def _infer(self, image):
        return self._session.run(None, {"image": image})[0]


class OpenVINOPipeline(OnnxPipeline):
    """Run by OpenVINO. Raises UserError where it is not installed."""

    name = "OpenVINO"

    def __init__(self, path: str | os.PathLike, input_size: tuple[int, int], num_threads: int):
        super().__init__(input_size)
        try:
            import openvino
        except ImportError as error:
            raise needs_extra("OpenVINO is not installed", error, "benchmark") from error
        settings = {
            "INFERENCE_NUM_THREADS": num_threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        compiled = openvino.Core().compile_model(os.fspath(path), "CPU", settings)
        self._request = compiled.create_infer_request()

    def _infer(self, image):
        self._request.infer([image])
        return self._request.get_output_tensor(0).data
