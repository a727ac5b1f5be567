"""Small real .tflite files for tests, of random weights. Making them needs TensorFlow."""

from __future__ import annotations

from shuffleseg_core.label_map import LabelMap


def tiny_model(path, num_classes=11, output="logits", size=(64, 48), input_dtype="float32", **options):
    """Export a half-width network; CamVid's names where there are 11 classes."""
    import keras

    from shuffleseg_core.export.tflite_export import export_tflite, random_network

    keras.utils.set_random_seed(3)
    label_map = (
        LabelMap.named("camvid") if num_classes == 11 else LabelMap.anonymous(num_classes)
    )
    options = {"head": "basic", "depth_multiplier": 0.5, **options}
    network = random_network(label_map, size, "shufflenet_v2", **options)
    export_tflite(network, path, output=output, input_dtype=input_dtype)
    return path
