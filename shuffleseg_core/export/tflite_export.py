"""Keras model → .tflite of builtin operators that describes itself. Needs TensorFlow."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..atomic_file import atomic_path
from ..errors import UserError, first_line
from ..model_description import ModelDescription
from ..models.statistics import model_statistics
from ..models.trained_network import TrainedNetwork
from .deploy_graph import deploy_graph
from .description_writer import with_description
from .network_graph import NoDeployGraph, network_graph

GRAPHS = ("auto", "deploy", "plain")
OUTPUTS = ("logits", "labels")
INPUTS = ("float32", "uint8")
#: How far the deploy graph's logits may be off, as a share of the largest.
DEPLOY_TOLERANCE = 1e-4


def export_tflite(
    network: TrainedNetwork,
    path: str | os.PathLike,
    weights_file: str | os.PathLike | None = None,
    output: str = "logits",
    input_dtype: str = "float32",
    input_size: tuple[int, int] | None = None,
    calibration: Sequence[np.ndarray] | None = None,
    graph: str = "auto",
    label_size: tuple[int, int] | None = None,
) -> ModelDescription:
    """Convert a trained network to TFLite: of float32, or of int8 throughout.

    The input is [1, H, W, 3] RGB with values 0–255 (equation 1 is inside the graph).

    Args:
        network: what to build.
        path: .tflite file to write.
        weights_file: a .weights.h5 of that network; None exports random weights.
        output: `labels` ends with resize to input size and argmax: int32 [1, H, W];
            `logits` ends at output stride: float32 (or int8) [1, h, w, classes].
        input_dtype: `float32` or `uint8`.
        input_size: (width, height); None takes the network's own.
        calibration: uint8 [height, width, 3] frames such as the network will see. With them the
            file is quantized: int8 weights (a scale a channel) and activations.
        graph: `deploy`, see `deploy_graph`; `plain`: layer by layer as it was trained; or
            `auto`: `deploy` where the network is made of what such a graph has.
        label_size: (width, height) of `labels`; None gives them the input's size.

    Returns:
        The description written into the file.

    Raises:
        UserError: TensorFlow is not Keras's backend here, an argument is out of range, the
            network needs operators beyond the builtin ones, or it has no deploy graph and is
            to have one.
    """
    if output not in OUTPUTS:
        raise UserError(f"output {output!r}: choose from {', '.join(OUTPUTS)}")
    if input_dtype not in INPUTS:
        raise UserError(f"input {input_dtype!r}: choose from {', '.join(INPUTS)}")
    if graph not in GRAPHS:
        raise UserError(f"graph {graph!r}: choose from {', '.join(GRAPHS)}")
    import keras

    if keras.backend.backend() != "tensorflow":
        raise UserError(
            f"exporting needs KERAS_BACKEND=tensorflow; it is {keras.backend.backend()}"
        )
    import tensorflow as tf

    input_size = input_size or network.input_size
    model = network.build(input_size=input_size, upsample=False)
    if weights_file is not None:
        network.load_weights(model, Path(weights_file))
    align_corners = bool(network.model.get("align_corners", False))
    width, height = input_size
    network_logits = _computation(tf, model, graph)
    # The converter itself puts 8 bits in a float graph's place where it quantizes.
    graph_dtype = tf.float32 if calibration is not None else tf.as_dtype(input_dtype)

    @tf.function(input_signature=[tf.TensorSpec((1, height, width, 3), graph_dtype, "image")])
    def from_image(image):
        logits = network_logits(tf.cast(image, tf.float32))
        if output == "logits":
            return tf.identity(logits, "logits")
        return labels_of(tf, logits, label_size or input_size, align_corners)

    flatbuffer = _convert(tf, from_image, path, output, input_dtype, calibration)
    statistics = model_statistics(model)
    description = ModelDescription(
        label_map=network.label_map,
        input_size=input_size,
        output=output,
        align_corners=align_corners,
        architecture=dict(network.model),
        training={
            **network.training,
            **({"quantized_by": f"{len(calibration)} frames"} if calibration is not None else {}),
        },
        licence=network.licence,
        parameters=statistics.parameters,
        gmac=statistics.gmac,
    )
    _write(path, with_description(flatbuffer, description))
    return description


def labels_of(tf, logits, size: tuple[int, int], align_corners: bool):
    """Resize to (width, height) and argmax, as `output="labels"` ends: int32 [1, H, W]."""
    if tuple(logits.shape[1:3]) != size[::-1]:  # the converter keeps one that changes nothing
        logits = tf.raw_ops.ResizeBilinear(
            images=logits,
            size=size[::-1],
            align_corners=align_corners,
            half_pixel_centers=not align_corners,
        )
    return tf.argmax(logits, axis=-1, output_type=tf.int32, name="labels")


def _computation(tf, model, graph: str):
    """image → logits."""
    if graph == "plain":
        return _as_trained(tf, model)
    try:
        return _deployed(model)
    except NoDeployGraph:
        if graph == "deploy":
            raise
        return _as_trained(tf, model)


def _deployed(model):
    nodes = network_graph(model)
    # Once, before anybody relies on it: both give the same.
    image = np.random.default_rng(0).uniform(0, 255, (1, *model.input.shape[1:])).astype(np.float32)
    expected = np.asarray(model(image, training=False))
    found = np.asarray(deploy_graph(nodes, image))
    if found.shape != expected.shape or not np.allclose(
        found, expected, rtol=0, atol=DEPLOY_TOLERANCE * np.abs(expected).max()
    ):
        # Not for `auto` to hide: that is a mistake of this package.
        raise UserError("its deploy graph gives other logits; export it with --graph plain")
    return lambda image: deploy_graph(nodes, image)


def _as_trained(tf, model):
    # As constants: the converter leaves Keras's variables in the graph as resources otherwise.
    weights = [
        [tf.constant(variable.numpy()) for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]
    return lambda image: model.stateless_call(*weights, image, training=False)[0]


def _convert(tf, from_image, path, output: str, input_dtype: str, calibration) -> bytes:
    """tf.function → flatbuffer of builtin operators."""
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [from_image.get_concrete_function()], tf.Module()
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if calibration is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [frame[None].astype(np.float32)] for frame in _with_whole_range(calibration)
        )
        # Nothing stays float: processors without a float unit run it, too.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.as_dtype(input_dtype)
        if output == "logits":
            converter.inference_output_type = tf.int8
    with quietly():
        try:
            return converter.convert()
        except Exception as error:  # the converter raises many kinds; all mean the same here
            reason = first_line(error)
            raise UserError(f"{path}: the network does not convert to TFLite: {reason}") from error


def _with_whole_range(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    """With a black and a white pixel: a camera's values, 0 to 255, are known and not to be
    measured, and all of them then map to 8 bits one to one."""
    first = np.array(frames[0])
    first[0, 0], first[0, 1] = 0, 255
    return [first, *frames[1:]]


@contextlib.contextmanager
def quietly():
    """Keep the converter's notes about TensorFlow itself from the user."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _write(path, data: bytes) -> None:
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error


def random_network(
    label_map, input_size: tuple[int, int], architecture: str, **options
) -> TrainedNetwork:
    """An untrained network, for measuring speed and for tests."""
    return TrainedNetwork(
        {"architecture": architecture, **options},
        label_map,
        input_size,
        training={"data": "none (random weights)"},
    )
