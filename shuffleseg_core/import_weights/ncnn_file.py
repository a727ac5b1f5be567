"""Reading the convolutions of a network as ncnn publishes it: NAME.param and NAME.bin.

The .param lists layers, one a line: type, name, numbers of inputs and outputs, their names, and
numbered settings. The .bin holds nothing but the weights, in the same order (ncnn's modelbin.cpp
and its layers' load_model): a tag of four bytes, [out, in / groups, rows, columns] in float16
(padded to four bytes) or float32, and biases in float32 without a tag.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UserError

_MAGIC = "7767517"
_TAGS = {b"\x47\x6b\x30\x01": np.dtype("<f2"), b"\0\0\0\0": np.dtype("<f4")}
_CONVOLUTIONS = ("Convolution", "ConvolutionDepthWise")
#: Layers that have nothing in the .bin.
_WITHOUT_WEIGHTS = frozenset(
    "BinaryOp Concat Crop Dropout Eltwise Flatten HardSigmoid HardSwish Input Interp Noop Padding "
    "Permute Pooling ReLU Reshape ShuffleChannel Sigmoid Slice Softmax Split Swish UnaryOp".split()
)


@dataclass(frozen=True)
class NcnnConvolution:
    """One convolution of a file.

    Attributes:
        name: in the .param.
        stride: in pixels, the same in both directions.
        groups: as many as there are channels for a depthwise one, else 1.
        weights: float32 [out, in / groups, rows, columns].
        biases: float32 [out].
    """

    name: str
    stride: int
    groups: int
    weights: np.ndarray
    biases: np.ndarray


def read_ncnn(path: Path) -> list[NcnnConvolution]:
    """All convolutions of a network, in the order of its .param.

    Args:
        path: the .bin or the .param; the other one lies beside it.

    Raises:
        UserError: one of the two is missing or damaged, they are not of one network, or it has
            weights that are neither float16 nor float32, or layers that are not known here.
    """
    param, binary = path.with_suffix(".param"), path.with_suffix(".bin")
    for file in (binary, param):
        if not file.is_file():
            raise UserError(
                f"{file}: no such file; a network of ncnn is {param.name} and {binary.name}, "
                "put them into one folder"
            )
    try:
        text, data = param.read_text(encoding="utf-8"), binary.read_bytes()
    except UnicodeDecodeError as error:
        raise UserError(f"{param}: not a .param of ncnn in text form") from error
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be read: {error.strerror}") from error
    weights = _Weights(binary, data)
    layers = [
        _read_convolution(param, name, settings, weights)
        for kind, name, settings in _layers(param, text)
        if kind in _CONVOLUTIONS
    ]
    if weights.position != len(data):
        raise UserError(
            f"{binary}: has {len(data) - weights.position} bytes behind the weights that "
            f"{param.name} tells of; the two are not of one network"
        )
    return layers


@dataclass
class _Weights:
    """Takes one piece after another off a .bin."""

    path: Path
    data: bytes
    position: int = 0

    def take(self, size: int, layer: str) -> bytes:
        start, self.position = self.position, self.position + size
        if self.position > len(self.data):
            raise UserError(
                f"{self.path}: ends within layer {layer}; it is cut off, or its .param is of "
                "another network"
            )
        return self.data[start : self.position]


def _layers(path: Path, text: str) -> list[tuple[str, str, dict[int, str]]]:
    """(type, name, settings) of each layer."""
    magic, *lines = [line.split() for line in text.splitlines() if line.strip()] or [[]]
    if magic != [_MAGIC]:
        raise UserError(f"{path}: not a .param of ncnn: it does not begin with {_MAGIC}")
    layers = []
    try:
        count = int(lines[0][0])
        for kind, name, inputs, outputs, *rest in lines[1:]:
            settings = rest[int(inputs) + int(outputs) :]
            pairs = (setting.split("=", 1) for setting in settings)
            layers.append((kind, name, {int(key): value for key, value in pairs}))
    except (ValueError, IndexError) as error:
        raise UserError(f"{path}: not a whole .param of ncnn; get it again") from error
    if len(layers) != count:
        raise UserError(f"{path}: has {len(layers)} of its {count} layers; the file is not whole")
    for kind, name, _ in layers:
        if kind not in _CONVOLUTIONS and kind not in _WITHOUT_WEIGHTS:
            raise UserError(f"{path}: layer {name} is a {kind}, which no NanoDet-m has")
    return layers


def _read_convolution(
    path: Path, name: str, settings: dict[int, str], weights: _Weights
) -> NcnnConvolution:
    def number(key: int, default: int) -> int:
        try:
            return int(settings.get(key, default))
        except ValueError:
            return -1

    width, kernel, count = number(0, 0), number(1, 0), number(6, 0)
    stride, groups = number(3, 1), number(7, 1)
    square = number(11, kernel) == kernel and number(13, stride) == stride
    sizes = (width, kernel, count, stride, groups)
    inputs = count // (width * kernel * kernel) if min(sizes) > 0 else 0
    if not square or inputs * width * kernel * kernel != count or not inputs:
        raise UserError(f"{path}: layer {name} has settings that do not fit together")
    tag = weights.take(4, name)
    if tag not in _TAGS:
        raise UserError(
            f"{weights.path}: layer {name} is neither float16 nor float32 (tag {tag.hex()}); give "
            "the file as published, with its own .param"
        )
    dtype = _TAGS[tag]
    size = count * dtype.itemsize
    kernels = np.frombuffer(weights.take(size + -size % 4, name)[:size], dtype)
    biases = np.zeros(width, np.float32)
    if number(5, 0) == 1:
        biases = np.frombuffer(weights.take(4 * width, name), "<f4")
    shape = (width, inputs, kernel, kernel)
    return NcnnConvolution(name, stride, groups, kernels.astype(np.float32).reshape(shape), biases)
