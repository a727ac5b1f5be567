"""Weights that this package's own training wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import UserError
from ..models.trained_network import TrainedNetwork
from ..trained_files import RECORD, WEIGHTS
from .layer_weights import LayerWeights


def read_own_weights(path: Path) -> LayerWeights:
    """Weights by layer name.

    Args:
        path: a run folder, or a `.weights.h5` beside a `model.json`.

    Raises:
        UserError: one of the two files is missing, damaged or of another version.
    """
    file = path / WEIGHTS if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"{file}: no such weights; is the training finished?")
    if not (file.parent / RECORD).is_file():
        raise UserError(
            f"{file}: no {RECORD} beside it, which says what network the weights are for; "
            "give a run folder"
        )
    network = TrainedNetwork.load_record(file.parent)
    variant = None
    if network.model.get("architecture") == "shufflenet_v2":
        variant = network.model.get("unit_variant", "mobile_segmentation")
    return LayerWeights(
        "weights", _read_h5(file), unit_variant=variant, classes=network.label_map.names
    )


def _read_h5(file: Path) -> dict[str, list[np.ndarray]]:
    """Layer name → weights. Keras numbers the groups and keeps the names as attributes."""
    import h5py

    try:
        with h5py.File(file) as content:
            layers = {}
            for group in content["layers"].values():
                variables = group.get("vars", ())
                if len(variables):
                    name = variables.attrs["name"]
                    layers[name] = [variables[str(i)][()] for i in range(len(variables))]
            return layers
    except (OSError, KeyError, ValueError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file}: not whole weights of Keras: {reason}; train anew") from error
