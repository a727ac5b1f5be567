"""The weights that a training starts from, whatever wrote them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError
from ..models.architectures import ARCHITECTURES
from ..trained_files import RECORD
from ..user_path import user_path
from .layer_weights import LayerWeights
from .mobile_segmentation_layout import from_mobile_segmentation
from .nanodet_layout import from_nanodet
from .ncnn_file import read_ncnn
from .own_weights import read_own_weights
from .placement import PlacementReport, head_fits, place
from .pytorch_file import read_state_dict
from .tf1_checkpoint import find_tf1_checkpoint, read_tf1_checkpoint
from .torch_layouts import from_state_dict

_HDF5 = b"\x89HDF\r\n\x1a\n"


def load_starting_weights(
    model,
    path: str | os.PathLike,
    classes: Sequence[str] | None = None,
    head: str = "required",
) -> PlacementReport:
    """Fill a model with weights of a file.

    The file may be a run folder of this package (or a `.weights.h5` in it), a TensorFlow 1
    checkpoint of sercant/mobile-segmentation (its prefix or its folder), a state dict of ShuffleNet
    V2 as torchvision or its authors name it (`.pth`, `.pth.tar`), or NanoDet-m for ncnn (`.bin`
    with its `.param`). docs/starting_weights.md tells what is converted.

    Args:
        model: a built Keras model of this package.
        path: the file or folder.
        classes: names of the model's classes. A classifier in the file is dropped unless it has
            the same names in the same order; with None, unless it has as many classes.
        head: where the file has one, `required` places it or raises, `if_it_fits` leaves a head
            of other layers aside, `none` any; without it the classifier stays aside, too.

    Returns:
        What was placed and what was not.

    Raises:
        UserError: there is no such file, it is damaged, of no known kind, or of another network.
            The model is left as it was.
    """
    path = user_path(path)
    weights = read_weights(path)
    if head == "none" or (head == "if_it_fits" and not head_fits(model, weights)):
        weights = weights.backbone()
        if not getattr(ARCHITECTURES.get(model.name), "has_backbone", True):
            raise UserError(
                f"{path}: of {model.name} no backbone can be taken alone; give weights of the "
                "whole network, trained for the same classes, without --backbone-only"
            )
    return place(model, weights, path, classes)


def read_weights(path: Path) -> LayerWeights:
    """Find out what a file is and read it. Raises UserError as `load_starting_weights` does."""
    if (path / RECORD).is_file():
        return read_own_weights(path)
    prefix = find_tf1_checkpoint(path)
    if prefix is not None:
        return from_mobile_segmentation(read_tf1_checkpoint(prefix), prefix)
    if path.is_dir():
        raise UserError(f"{path}: neither a run folder ({RECORD}) nor a TensorFlow checkpoint")
    try:
        with open(path, "rb") as file:
            start = file.read(len(_HDF5))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    if start == _HDF5:
        return read_own_weights(path)
    is_pytorch = start.startswith((b"PK", b"\x80"))  # a zip or a pickle, whatever its name
    if path.suffix in (".bin", ".param") and not is_pytorch:
        return from_nanodet(read_ncnn(path), path)
    return from_state_dict(read_state_dict(path), path)
