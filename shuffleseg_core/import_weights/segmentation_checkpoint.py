"""The official segmentation checkpoints as run folders, ready to evaluate and export."""

from __future__ import annotations

import os

from ..errors import UserError
from ..label_map import LabelMap
from ..models.trained_network import TrainedNetwork
from ..models.weights_file import save_weights
from ..trained_files import RECORD, WEIGHTS
from ..user_path import user_path
from .layer_weights import CLASSIFIER, network_options
from .mobile_segmentation_layout import from_mobile_segmentation
from .placement import PlacementReport, place
from .tf1_checkpoint import find_tf1_checkpoint, read_tf1_checkpoint

#: Of the official training on Cityscapes.
INPUT_SIZE = (769, 769)
_LICENCE = (
    "Weights of sercant/mobile-segmentation (Apache-2.0); the terms of the data that they were "
    "trained on apply as well."
)


def import_segmentation_checkpoint(
    path: str | os.PathLike,
    folder: str | os.PathLike,
    label_map: LabelMap | None = None,
    input_size: tuple[int, int] = INPUT_SIZE,
    stage4_rate_1: bool = True,
) -> tuple[TrainedNetwork, PlacementReport]:
    """Write a run folder from a whole TF1 checkpoint of sercant/mobile-segmentation.

    Head, depth multiplier and number of classes come from the file; corners are aligned, as that
    implementation does.

    Args:
        path: the checkpoint's prefix or folder.
        folder: run folder to write; it must not hold a model yet.
        label_map: of the classifier; None takes Cityscapes' for 19 classes, else class_0, class_1 …
        input_size: (width, height) that the run folder exports for by default.
        stage4_rate_1: see `shufflenet_v2_backbone`; the published checkpoints have it.

    Returns:
        The network and what was placed.

    Raises:
        UserError: this is no such checkpoint, it is damaged, the label map has another number of
            classes, or the folder cannot be written.
    """
    path, folder = user_path(path), user_path(folder)
    for name in (RECORD, WEIGHTS):
        if (folder / name).exists():
            raise UserError(f"{folder}: already holds {name}; give another --output")
    prefix = find_tf1_checkpoint(path)
    if prefix is None:
        raise UserError(
            f"{path}: no TensorFlow 1 checkpoint (PREFIX.index, PREFIX.data-00000-of-00001); "
            "other weights are for `shuffleseg train --start`"
        )
    weights = from_mobile_segmentation(read_tf1_checkpoint(prefix), prefix)
    shapes = {name: [array.shape for array in arrays] for name, arrays in weights.layers.items()}
    options = network_options(shapes)
    if CLASSIFIER not in shapes or set(options) != {"head", "depth_multiplier"}:
        raise UserError(
            f"{prefix}: not a whole segmentation network of a known depth multiplier; "
            "backbones are for `shuffleseg train --start`"
        )
    classes = weights.layers[CLASSIFIER][1].size
    if label_map is None:
        known = weights.classes is not None
        label_map = LabelMap.named("cityscapes") if known else LabelMap.anonymous(classes)
    if len(label_map) != classes:
        raise UserError(f"{prefix}: {classes} classes, but the label map has {len(label_map)}")
    network = TrainedNetwork(
        {
            "architecture": "shufflenet_v2",
            **options,
            "output_stride": 16,
            "stage4_rate_1": stage4_rate_1,
            "align_corners": True,
        },
        label_map,
        input_size,
        training={"source": f"sercant/mobile-segmentation, {prefix.name}"},
        licence=_LICENCE,
    )
    model = network.build()
    report = place(model, weights, prefix, None)
    try:
        save_weights(model, folder / WEIGHTS)
        network.save_record(folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return network, report
