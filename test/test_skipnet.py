"""SkipNet upon ShuffleNet (ShuffleSeg) and MobileNet: costs, structure, export, training."""

from math import prod

import numpy as np
import pytest

from conftest import requires_tensorflow
from shuffleseg_core import UserError

keras = pytest.importorskip("keras", exc_type=ImportError)

from shuffleseg_core.models import build_model  # noqa: E402
from shuffleseg_core.models.blocks import CropLike  # noqa: E402
from shuffleseg_core.models.skipnet import (  # noqa: E402
    STAGE_WIDTHS,
    mobilenet_v1_backbone,
    shufflenet_v1_backbone,
)
from shuffleseg_core.models.skipnet.skip_decoder import bilinear_kernel  # noqa: E402
from shuffleseg_core.models.statistics import model_statistics  # noqa: E402

pytestmark = requires_tensorflow

NETWORKS = ("skipnet_shufflenet", "skipnet_mobilenet")


def trainable(model):
    return sum(prod(weight.shape) for weight in model.trainable_weights)


@pytest.mark.parametrize(
    "groups, mmac",
    # ShuffleNet's table 1, last row, in multiply-adds; it leaves out the classifier.
    [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)],
)
def test_shufflenets_complexity_as_in_its_table_1(groups, mmac):
    image = keras.Input((224, 224, 3))
    backbone = keras.Model(image, shufflenet_v1_backbone(image, groups)[32])
    assert model_statistics(backbone).macs / 1e6 == pytest.approx(mmac, abs=0.51)
    assert backbone.output.shape == (None, 7, 7, STAGE_WIDTHS[groups][-1])
    if groups == 3:  # MMClassification's 1.87 M, its 1000 classes included
        assert round((trainable(backbone) + 960 * 1000 + 1000) / 1e6, 2) == 1.87


def test_mobilenets_costs_as_in_its_table_4():
    image = keras.Input((224, 224, 3))
    backbone = keras.Model(image, mobilenet_v1_backbone(image)[-1])
    # 4.2 M parameters and 569 M multiply-adds, 1000 classes included
    assert trainable(backbone) + 1024 * 1000 + 1000 == 4_231_976
    assert round((model_statistics(backbone).macs + 1024 * 1000) / 1e6) == 569


@pytest.mark.parametrize(
    "architecture, gflops, exact",
    [
        ("shuffleseg", 2.0, 1.998304),
        ("skipnet_shufflenet", 2.0, 1.998304),
        ("skipnet_mobilenet", 6.2, 6.13767168),
    ],
)
def test_published_gflops(architecture, gflops, exact):
    """Of 640×360 and 20 classes. TensorFlow's profiler, which the authors' code asks, counts a
    bias, which all of their convolutions have, as one operation an element."""
    model = build_model(architecture, 20, input_size=(640, 360), upsample=False)
    statistics = model_statistics(model)
    assert statistics.gflops == pytest.approx(exact, abs=1e-8)
    biases = sum(
        prod(layer.output.shape[1:])
        for layer in model.layers
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D))
    )
    assert round(statistics.gflops + biases / 1e9, 1) == gflops


@pytest.mark.parametrize(
    "architecture, options, parameters, trained, gmac",
    [
        ("skipnet_shufflenet", {}, 1_013_700, 989_812, 0.9609),
        ("skipnet_shufflenet", {"branch_bottleneck": False}, 1_065_438, 1_040_806, 1.0095),
        ("skipnet_mobilenet", {}, 3_367_222, 3_345_182, 3.0305),
    ],
)
def test_costs_with_19_classes(architecture, options, parameters, trained, gmac):
    model = build_model(architecture, 19, input_size=(640, 360), **options)
    statistics = model_statistics(model)
    assert (statistics.parameters, trainable(model)) == (parameters, trained)
    assert round(statistics.gmac, 4) == gmac


def test_what_feeds_the_decoder():
    model = build_model("skipnet_shufflenet", 5, input_size=(640, 360))
    shapes = {name: model.get_layer(name).input.shape[1:] for name in
              ("score8", "score16", "score32", "upscore16", "upscore8", "logits")}  # fmt: skip
    assert shapes == {
        "score8": (45, 80, 240),
        "score16": (23, 40, 480),
        "score32": (12, 20, 960),
        "upscore16": (12, 20, 5),
        "upscore8": (23, 40, 5),
        "logits": (45, 80, 5),
    }
    assert model.get_layer("score16").input is model.get_layer("stage3_unit8_output").output
    # (960 - 480) / 4 and 960 / 4, in 3 groups
    assert model.get_layer("stage4_unit1_reduce_group3").kernel.shape == (1, 1, 160, 40)
    assert model.get_layer("stage4_unit2_reduce_group3").kernel.shape == (1, 1, 320, 80)
    assert model.get_layer("stage2_unit1_reduce").kernel.shape == (1, 1, 24, 54)

    model = build_model("skipnet_mobilenet", 5, input_size=(640, 360))
    assert model.get_layer("score8").input is model.get_layer("unit4_pointwise_activation").output
    assert model.get_layer("score16").input.shape == (None, 23, 40, 512)
    assert model.get_layer("score32").input.shape == (None, 12, 20, 1024)


@pytest.mark.parametrize("size, stride", [(4, 2), (16, 8)])
def test_upsampling_starts_bilinear(size, stride, rng):
    x = rng.normal(size=(1, 5, 6, 3)).astype(np.float32)
    layer = keras.layers.Conv2DTranspose(
        3, size, strides=stride, padding="same", kernel_initializer=bilinear_kernel
    )
    larger = np.asarray(layer(x))
    expected = np.asarray(keras.ops.image.resize(x, larger.shape[1:3], interpolation="bilinear"))
    inner = (slice(None), slice(stride, -stride), slice(stride, -stride))
    np.testing.assert_allclose(larger[inner], expected[inner], atol=1e-5)


def test_initializer_and_crop_survive_a_copy_of_the_model():
    model = build_model("skipnet_shufflenet", 5, input_size=(71, 33))
    copy = keras.Model.from_config(model.get_config())
    assert copy.get_layer("logits").kernel_initializer is bilinear_kernel


@pytest.mark.parametrize("height, width", [(36, 50), (40, 56), (33, 49)])
def test_crop_aligns_as_tensorflows_transposed_convolution(height, width, rng):
    import tensorflow as tf

    x = rng.normal(size=(1, 5, 7, 2)).astype(np.float32)
    kernel = rng.normal(size=(16, 16, 2, 2)).astype(np.float32)

    def transposed(rows, columns):
        return tf.nn.conv2d_transpose(x, kernel, (1, rows, columns, 2), 8, "SAME")

    cropped = CropLike()([transposed(40, 56), np.zeros((1, height, width, 1), np.float32)])
    np.testing.assert_allclose(cropped, transposed(height, width), atol=1e-4)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"groups": 5}, "groups 5"),
        ({"groups": 4}, "branch_bottleneck.*groups 4"),
        ({"output_stride": 16}, "output_stride"),
    ],
)
def test_wrong_options_are_named(options, words):
    with pytest.raises(UserError, match=words):
        build_model("shuffleseg", 5, **options)
