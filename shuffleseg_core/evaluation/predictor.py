"""What labels images, whatever it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from ..datasets import Dataset
from ..errors import UserError
from ..shipped_models import find_model

_WEIGHT_SUFFIXES = (".h5", ".keras", ".hdf5")


class Predictor(Protocol):
    """Labels images.

    Attributes:
        source: the file or folder that it comes from, for messages.
        num_classes: number of ids that it gives.
        class_names: their names; None where the model does not say.
    """

    source: Path
    num_classes: int
    class_names: tuple[str, ...] | None

    def predict(self, rgb: np.ndarray) -> np.ndarray:
        """uint8 [H, W, 3] RGB → uint8 [H, W] class ids."""


def open_predictor(
    model: str,
    weights: str | None = None,
    size: tuple[int, int] | None = None,
    scales: tuple[float, ...] = (1.0,),
    flip: bool = False,
    num_threads: int = 2,
) -> Predictor:
    """Open a .tflite, or the run folder of a training.

    Args:
        model: the file or folder, or the name of a shipped model.
        weights, size, scales: see `KerasPredictor`; a .tflite has none of these.
        flip: average with the labels of the mirrored image.
        num_threads: CPU threads of a .tflite.

    Raises:
        UserError: it cannot be opened, or an option does not fit it.
    """
    path = find_model(model)
    if path.is_dir():
        from .keras_predictor import KerasPredictor

        return KerasPredictor.from_run_folder(path, weights, size=size, scales=scales, flip=flip)
    if path.suffix in _WEIGHT_SUFFIXES:
        raise UserError(f"{path}: give the folder of the training, and this file by --weights")
    for option, given, reason in (
        ("--weights", weights, "a .tflite holds its own"),
        ("--size", size, "a .tflite has one input size"),
        ("--scales", scales != (1.0,), "a .tflite has one input size; give the run folder"),
    ):
        if given:
            raise UserError(f"{option} is not for {path}: {reason}")
    from .tflite_predictor import TFLitePredictor

    return TFLitePredictor(path, num_threads, flip)


def check_classes(predictor: Predictor, dataset: Dataset) -> None:
    """Raises UserError where a model's classes are not those of the data set."""
    names = dataset.label_map.names
    if predictor.class_names not in (None, names):
        raise UserError(
            f"model {predictor.source}: its classes ({', '.join(predictor.class_names)}) are not "
            f"those of {dataset.name} ({', '.join(names)})"
        )
    if predictor.num_classes != len(names):
        raise UserError(
            f"model {predictor.source}: {predictor.num_classes} classes, but {dataset.name} has "
            f"{len(names)}"
        )
