"""The deploy graph computes what the trained network does, by operators that are fast."""

from collections import Counter

import numpy as np
import pytest

from conftest import requires_tensorflow
from shuffleseg_core import LabelMap, Segmenter, UserError

keras = pytest.importorskip("keras", exc_type=ImportError)

from shuffleseg_core.export.deploy_graph import deploy_graph  # noqa: E402
from shuffleseg_core.export.network_graph import network_graph  # noqa: E402
from shuffleseg_core.export.tflite_export import export_tflite, random_network  # noqa: E402
from shuffleseg_core.models import build_model  # noqa: E402
from shuffleseg_core.models.blocks import ResizeLike  # noqa: E402

pytestmark = requires_tensorflow

NETWORKS = {
    "basic": {},
    "dpc_align_corners": {"head": "dpc", "align_corners": True},
    "decoder_4_narrow": {"decoder_stride": 4, "head_width": 40, "projection_width": 32},
    "torchvision_stride_8": {
        "unit_variant": "torchvision",
        "depth_multiplier": 0.5,
        "output_stride": 8,
    },
    "megvii_odd_size": {
        "unit_variant": "megvii",
        "head": "dpc",
        "decoder_stride": 8,
        "input_size": (65, 47),
    },
}


def with_trained_looks(model, rng):
    """Batch norms and biases as after a training, not as they begin."""
    for variable in model.weights:
        if "moving_variance" in variable.path:
            variable.assign(rng.uniform(0.5, 2, variable.shape))
        elif len(variable.shape) == 1:
            variable.assign(rng.normal(0.5, 0.3, variable.shape))
    return model


@pytest.mark.parametrize("options", NETWORKS.values(), ids=NETWORKS)
def test_it_computes_the_same_logits(options, rng):
    options = {"input_size": (64, 48), **options}
    model = with_trained_looks(
        build_model("shufflenet_v2", num_classes=11, upsample=False, **options), rng
    )
    width, height = options["input_size"]
    image = rng.uniform(0, 255, (1, height, width, 3)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(model(image, training=False))
    logits = keras.ops.convert_to_numpy(
        deploy_graph(network_graph(model), keras.ops.convert_to_tensor(image))
    )
    assert np.abs(logits - expected).max() < 1e-5 * np.abs(expected).max()
    np.testing.assert_array_equal(logits.argmax(-1), expected.argmax(-1))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Both graphs of one network as files."""
    folder = tmp_path_factory.mktemp("deploy")
    network = random_network(LabelMap.named("camvid"), (96, 64), "shufflenet_v2")
    model = with_trained_looks(
        network.build(input_size=(96, 64), upsample=False), np.random.default_rng(1)
    )
    weights = folder / "network.weights.h5"
    model.save_weights(weights)
    paths = {graph: folder / f"{graph}.tflite" for graph in ("deploy", "plain")}
    for graph, path in paths.items():
        export_tflite(network, path, weights_file=weights, graph=graph)
    return paths


def test_no_operator_moves_channels_or_is_left_to_a_slow_kernel(exported):
    def operators(path):
        interpreter = Segmenter(path, num_threads=1)._interpreter
        return Counter(op["op_name"] for op in interpreter._get_ops_details())

    plain, deploy = operators(exported["plain"]), operators(exported["deploy"])
    assert plain["TRANSPOSE"] and plain["SPLIT"]
    assert not {"TRANSPOSE", "SPLIT", "STRIDED_SLICE", "GATHER", "MUL", "PADV2"} & set(deploy)
    assert deploy["DELEGATE"] == 1  # all of it is in one piece


def test_both_files_label_alike(exported, street):
    plain, deploy = (Segmenter(exported[graph], num_threads=1) for graph in ("plain", "deploy"))
    np.testing.assert_array_equal(deploy.segment(street), plain.segment(street))
    logits, expected = deploy.logits(street), plain.logits(street)
    assert np.abs(logits - expected).max() < 1e-4 * np.abs(expected).max()
    assert deploy.description.gmac == plain.description.gmac


def test_what_was_pooled_alone_is_not_taken_for_the_whole_image():
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Conv2D(4, 3, padding="same")(image)
    pooled = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    wide = keras.layers.Conv2D(5, 1)(ResizeLike()([pooled, x]))
    with pytest.raises(UserError, match="pooled.*--graph plain"):
        deploy_graph(network_graph(keras.Model(image, wide)), np.zeros((1, 16, 16, 3), np.float32))


def test_networks_without_a_deploy_graph_export_plain(tmp_path):
    network = random_network(LabelMap.named("camvid"), (64, 48), "mobilenet_v2")
    with pytest.raises(UserError, match="--graph plain"):
        export_tflite(network, tmp_path / "x.tflite", graph="deploy")
    assert not (tmp_path / "x.tflite").exists()
    export_tflite(network, tmp_path / "x.tflite")
    labels = Segmenter(tmp_path / "x.tflite", num_threads=1).segment(
        np.zeros((30, 40, 3), np.uint8)
    )
    assert labels.shape == (30, 40)


def test_what_it_does_not_know_is_named():
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", name="stem")(image)
    unknown = keras.Model(image, keras.layers.UpSampling2D(name="larger")(x))
    with pytest.raises(UserError, match="larger.*UpSampling2D"):
        network_graph(unknown)
    swish = keras.Model(image, keras.layers.Activation("silu", name="swish")(x))
    with pytest.raises(UserError, match="swish.*ReLU"):
        network_graph(swish)
    relu_after_pool = keras.layers.Activation("relu", name="late")(
        keras.layers.MaxPooling2D(padding="same")(x)
    )
    with pytest.raises(UserError, match="late"):
        network_graph(keras.Model(image, relu_after_pool))
    scaled = keras.layers.MaxPooling2D(padding="same")(keras.layers.Rescaling(2.0)(image))
    with pytest.raises(UserError, match="max_pool of the rescaled image"):
        network_graph(keras.Model(image, keras.layers.Conv2D(4, 1)(scaled)))
    cropped = keras.Model(image, keras.layers.Conv2D(4, 3, name="valid")(x))
    with pytest.raises(UserError, match="valid.*same"):
        network_graph(cropped)
