"""Labels by a network's Keras weights, at one scale or several, also mirrored."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np

from ..errors import needs_extra
from ..keras_backend import choose_keras_backend
from ..user_path import user_path

#: Pads images, as in training: the middle of the pixels' range, 0 after equation 1.
MEAN_PIXEL = 127.5


class KerasPredictor:
    """A `Predictor` of a Keras network.

    An image goes in at its own size. Where the network aligns corners, it is padded with the mean
    pixel on the right and below to k · output stride + 1 pixels, as in the official evaluation
    (1024×2048 becomes 1025×2049), and the labels are cut. At other scales the (padded) image is
    resized first. The logits are enlarged straight to the size of the (padded) image; where there
    are several, it is their softmax that is averaged.

    Args:
        model: from images [1, H, W, 3] of any size, values 0–255, to logits at output stride.
        align_corners: corner convention of the network.
        output_stride: of the network.
        size: (width, height) that images are resized to, unpadded, instead of their own; as a
            .tflite of that input size does.
        scales: of the image (or of `size`).
        flip: also take the mirrored image at each scale.

    Attributes:
        source, num_classes, class_names: see `Predictor`.
    """

    def __init__(
        self,
        model,
        align_corners: bool = False,
        output_stride: int = 16,
        size: tuple[int, int] | None = None,
        scales: tuple[float, ...] = (1.0,),
        flip: bool = False,
        source: Path = Path(),
        class_names: tuple[str, ...] | None = None,
    ):
        self.source = source
        self.num_classes = model.output_shape[-1]
        self.class_names = class_names
        self._align_corners = align_corners
        self._output_stride = output_stride
        self._size = size
        self._scales = scales
        self._model = _labelling_model(model, align_corners, len(scales), flip)

    @classmethod
    def from_run_folder(cls, folder: Path, weights: str | None = None, **options) -> KerasPredictor:
        """The network of a training.

        Args:
            folder: holds `model.json`, and the weights where none are given.
            weights: another weights file of that network; looked for in the folder too.
            **options: `size`, `scales` and `flip`.

        Raises:
            UserError: Keras or its backend is missing, the folder is none of a training, or the
                weights do not fit.
        """
        _import_keras()
        from ..models.trained_network import TrainedNetwork
        from ..trained_files import WEIGHTS

        network = TrainedNetwork.load_record(folder)
        model = network.build(input_size=None, upsample=False)
        path = user_path(weights) if weights else folder / WEIGHTS
        network.load_weights(model, path if path.is_file() else folder / path)
        return cls(
            model,
            align_corners=bool(network.model.get("align_corners", False)),
            output_stride=int(network.model.get("output_stride", 16)),
            source=folder,
            class_names=network.label_map.names,
            **options,
        )

    def predict(self, rgb: np.ndarray) -> np.ndarray:
        height, width = rgb.shape[:2]
        frame = self._padded(rgb) if self._align_corners and not self._size else rgb
        size = self._size or (frame.shape[1], frame.shape[0])
        inputs = [_resized(frame, self._scaled(size, scale)) for scale in self._scales]
        canvas = np.zeros((1, *frame.shape[:2], 1), np.float32)
        labels = self._model.predict_on_batch(
            [canvas, *(image[None].astype(np.float32) for image in inputs)]
        )
        return np.ascontiguousarray(labels[0, :height, :width])

    def _padded(self, rgb: np.ndarray) -> np.ndarray:
        """float32 [k · stride + 1, …, 3]."""
        stride = self._output_stride
        shape = tuple(1 + stride * math.ceil((n - 1) / stride) for n in rgb.shape[:2])
        padded = np.full((*shape, 3), MEAN_PIXEL, np.float32)
        padded[: rgb.shape[0], : rgb.shape[1]] = rgb
        return padded

    def _scaled(self, size: tuple[int, int], scale: float) -> tuple[int, int]:
        if scale == 1:
            return size
        if not self._align_corners:
            return tuple(max(round(n * scale), 1) for n in size)
        stride = self._output_stride
        return tuple(1 + stride * max(round((n - 1) * scale / stride), 1) for n in size)


def _labelling_model(model, align_corners: bool, num_scales: int, flip: bool):
    """A Keras model: [canvas [1, H, W, 1], image at each scale …] → uint8 [1, H, W].

    The canvas gives the size of the result; inside one model, the large arrays stay on the device.
    """
    import keras

    from ..models.blocks import ResizeLike

    canvas = keras.Input((None, None, 1), name="canvas")
    enlarge = ResizeLike(align_corners, name="enlarge", dtype="float32")
    images = [keras.Input((None, None, 3), name=f"image_{i}") for i in range(num_scales)]
    scores = []
    for image in images:
        if not flip:
            scores.append(enlarge([model(image), canvas]))
            continue
        both = keras.ops.concatenate([image, keras.ops.flip(image, axis=2)], axis=0)
        logits, mirrored = keras.ops.split(model(both), 2, axis=0)
        scores.append(enlarge([logits, canvas]))
        scores.append(enlarge([keras.ops.flip(mirrored, axis=2), canvas]))
    total = scores[0]
    if len(scores) > 1:
        total = sum(keras.ops.softmax(logits) for logits in scores)
    labels = keras.ops.cast(keras.ops.argmax(total, axis=-1), "uint8")
    return keras.Model([canvas, *images], labels)


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """As `Segmenter` does: averaging over areas where both sides shrink."""
    width, height = size
    if image.shape[:2] == (height, width):
        return image
    shrinks = image.shape[0] > height and image.shape[1] > width
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _import_keras() -> None:
    """Import Keras on the backend that the user asked for, else on one that is installed."""
    choose_keras_backend()
    try:
        import keras  # noqa: F401
    except (ImportError, ValueError) as error:
        raise needs_extra(
            "Keras weights, unlike a .tflite, need Keras and its backend", error
        ) from error
