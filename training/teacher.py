"""A trained network that another one learns from."""

from __future__ import annotations

import keras

from shuffleseg_core.errors import UserError
from shuffleseg_core.label_map import LabelMap
from shuffleseg_core.models.trained_network import TrainedNetwork
from shuffleseg_core.trained_files import WEIGHTS
from shuffleseg_core.user_path import user_path


def load_teacher(folder: str, label_map: LabelMap, size: tuple[int, int]) -> keras.Model:
    """A run folder's network, which a training leaves as it is.

    Args:
        folder: of a training that is done.
        label_map: of the network that learns.
        size: (width, height) of the images.

    Returns:
        [B, height, width, 3] → logits [B, height, width, C]; the same in training and inference.

    Raises:
        UserError: there is none, or its classes are others.
    """
    path = user_path(folder)
    network = TrainedNetwork.load_record(path)
    if network.label_map.names != label_map.names:
        raise UserError(f"{path}: this teacher's classes are not those of the training")
    model = network.build(input_size=size)
    network.load_weights(model, path / WEIGHTS)
    model.trainable = False  # its batch norms, too, then do as in inference
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    model.name = "teacher"
    return model
