"""Small real .tflite files for tests, of random weights. Run with a folder to fill it."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

from shuffleseg_core.export.tflite_export import export_tflite, random_network
from shuffleseg_core.label_map import LabelMap


def tiny_model(
    path, output="logits", input_dtype="float32", num_classes=11, calibration=None, **options
):
    """Export a half-width network at 64×48; CamVid's names where there are 11 classes."""
    keras.utils.set_random_seed(3)
    label_map = LabelMap.named("camvid") if num_classes == 11 else LabelMap.anonymous(num_classes)
    options = {"head": "basic", "depth_multiplier": 0.5, **options}
    network = random_network(label_map, (64, 48), "shufflenet_v2", **options)
    export_tflite(network, path, output=output, input_dtype=input_dtype, calibration=calibration)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    tiny_model(folder / "logits.tflite")
    tiny_model(folder / "labels.tflite", output="labels")
    tiny_model(folder / "logits_uint8.tflite", input_dtype="uint8")
    tiny_model(folder / "labels_align_corners.tflite", output="labels", align_corners=True)
    tiny_model(folder / "logits_align_corners.tflite", align_corners=True)
    tiny_model(folder / "dpc_19.tflite", num_classes=19, head="dpc")
    tiny_model(folder / "decoder.tflite", decoder_stride=4)
    frames = np.random.default_rng(0).integers(5, 200, (8, 48, 64, 3), np.uint8)
    for output in ("logits", "labels"):
        tiny_model(
            folder / f"{output}_int8.tflite", output, "uint8", decoder_stride=4, calibration=frames
        )
