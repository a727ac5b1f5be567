"""Fast-SCNN, BiSeNet V2 and PIDNet-S against their papers, and as files."""

from math import prod

import numpy as np
import pytest

from conftest import requires_tensorflow
from shuffleseg_core.errors import UserError

keras = pytest.importorskip("keras", exc_type=ImportError)

from shuffleseg_core.models import build_model  # noqa: E402
from shuffleseg_core.models.adaptive_pooling import AdaptiveAveragePooling  # noqa: E402
from shuffleseg_core.models.pidnet import PixelSimilarity  # noqa: E402
from shuffleseg_core.models.statistics import model_statistics  # noqa: E402

pytestmark = requires_tensorflow

NETWORKS = ("fast_scnn", "bisenet_v2", "pidnet_s")
PAPER_BISENET = {"expansion": "convolution", "head_width": 256}


def trained_weights(model, without=()):
    """Weights that gradients change, as PyTorch counts parameters."""
    return sum(
        prod(weight.shape)
        for layer in model.layers
        if not isinstance(layer, without)
        for weight in layer.trainable_weights
    )


@pytest.mark.parametrize(
    "name, options, parameters, trained",
    [
        # Tramac/Fast-SCNN-pytorch has 1 138 051: biases before two batch norms of 128 channels.
        ("fast_scnn", {}, 1_161_475, 1_138_051 - 2 * 128),
        ("bisenet_v2", {}, 3_375_955, 3_358_627),
        ("bisenet_v2", PAPER_BISENET, 5_169_555, 5_147_843),
        # XuJiacong/PIDNet has biases before the first two batch norms.
        ("pidnet_s", {}, 7_649_907, 7_625_715 - 2 * 32),
    ],
)
def test_parameters_with_19_classes(name, options, parameters, trained):
    model = build_model(name, 19, input_size=(64, 64), **options)
    assert model_statistics(model).parameters == parameters
    assert trained_weights(model) == trained


def test_published_parameters():
    """1.11 M counts Fast-SCNN's convolutions alone; 7.6 M and 3.4 M count batch norms, too."""
    fast_scnn, bisenet_v2, pidnet_s = (build_model(name, 19) for name in NETWORKS)
    without_norms = trained_weights(fast_scnn, keras.layers.BatchNormalization)
    assert round(without_norms / 1e6, 2) == 1.11
    assert round(trained_weights(bisenet_v2) / 1e6, 1) == 3.4
    assert round(trained_weights(pidnet_s) / 1e6, 1) == 7.6


@pytest.mark.parametrize(
    "name, options, size, gmac, published, tolerance",
    # The published are multiply-accumulates, called FLOPs.
    [
        ("fast_scnn", {}, (2048, 1024), 6.7096, None, None),  # its paper counts none
        # The paper does not say how wide its head is, and no code of its authors exists.
        ("bisenet_v2", {}, (1024, 512), 24.6033, 21.15, 0.17),
        ("bisenet_v2", PAPER_BISENET, (1024, 512), 20.2559, 21.15, 0.05),
        # Theirs may hold batch norms, resizes and products of features, which are not counted here.
        ("pidnet_s", {}, (2048, 1024), 47.1963, 47.6, 0.01),
        ("fast_scnn", {}, (224, 224), 0.1607, None, None),
        ("bisenet_v2", {}, (224, 224), 2.3546, None, None),
        ("pidnet_s", {}, (224, 224), 1.1376, None, None),
        ("fast_scnn", {}, (640, 360), 0.7532, None, None),
        ("bisenet_v2", {}, (640, 360), 10.8344, None, None),
        ("pidnet_s", {}, (640, 360), 5.2637, None, None),
    ],
)
def test_gmac(name, options, size, gmac, published, tolerance):
    found = model_statistics(build_model(name, 19, input_size=size, **options)).gmac
    assert round(found, 4) == gmac
    if published is not None:
        assert found == pytest.approx(published, rel=tolerance)


@pytest.mark.parametrize("height, width", [(12, 20), (7, 13), (2, 3), (1, 1)])
@pytest.mark.parametrize("bins", [1, 2, 3, 6])
def test_adaptive_pooling_takes_means_of_regions(height, width, bins, rng):
    x = rng.normal(size=(2, height, width, 3)).astype(np.float32)
    pooled = np.asarray(AdaptiveAveragePooling(bins)(x))
    assert pooled.shape == (2, bins, bins, 3)
    for row in range(bins):
        rows = slice(row * height // bins, -(-(row + 1) * height // bins))
        for column in range(bins):
            columns = slice(column * width // bins, -(-(column + 1) * width // bins))
            np.testing.assert_allclose(
                pooled[:, row, column], x[:, rows, columns].mean((1, 2)), atol=1e-6
            )


def test_pixel_similarity(rng):
    first, second = rng.normal(size=(2, 1, 3, 4, 5)).astype(np.float32)
    expected = 1 / (1 + np.exp(-np.einsum("bhwc,bhwc->bhw", first, second)))
    found = np.asarray(PixelSimilarity()([first, second]))
    np.testing.assert_allclose(found[..., 0], expected, atol=1e-5)


def test_fast_scnns_layout():
    model = build_model("fast_scnn", 5, input_size=(192, 96))
    shapes = {
        "downsample3_pointwise_activation": (12, 24, 64),
        "bottleneck1_unit3_add": (6, 12, 64),
        "bottleneck2_unit3_add": (3, 6, 96),
        "bottleneck3_unit3_add": (3, 6, 128),
        "pyramid_concat": (3, 6, 256),
        "pyramid_project_activation": (3, 6, 128),
        "logits": (12, 24, 5),
    }
    assert {name: model.get_layer(name).output.shape[1:] for name in shapes} == shapes
    assert model.get_layer("fusion_context_depthwise").dilation_rate == (4, 4)


def test_bisenets_layout():
    model = build_model("bisenet_v2", 5, input_size=(192, 96))
    shapes = {
        "detail1_conv2_activation": (48, 96, 64),
        "detail2_conv3_activation": (24, 48, 64),
        "detail3_conv3_activation": (12, 24, 128),
        "stem_fuse_activation": (24, 48, 16),
        "semantic3_unit2_activation": (12, 24, 32),
        "semantic4_unit2_activation": (6, 12, 64),
        "semantic5_unit4_activation": (3, 6, 128),
        "semantic5_unit4_depthwise": (3, 6, 768),
        "aggregation_coarse_multiply": (3, 6, 128),
        "aggregation_conv_activation": (12, 24, 128),
        "logits": (12, 24, 5),
    }
    assert {name: model.get_layer(name).output.shape[1:] for name in shapes} == shapes


def test_pidnets_layout():
    model = build_model("pidnet_s", 5, input_size=(192, 128))
    shapes = {
        "stage1_relu": (32, 48, 32),
        "stage2_relu": (16, 24, 64),
        "i_stage3_relu": (8, 12, 128),
        "i_stage4_relu": (4, 6, 256),
        "i_stage5_unit2_add": (2, 3, 512),
        "p_stage3_guide": (16, 24, 64),
        "d_stage4_add_context": (16, 24, 64),
        "fusion_add": (16, 24, 128),
        "logits": (16, 24, 5),
    }
    assert {name: model.get_layer(name).output.shape[1:] for name in shapes} == shapes


@pytest.mark.parametrize("name", NETWORKS)
def test_batch_norm_momentum_is_that_of_all(name):
    model = build_model(name, 5, batch_norm_momentum=0.9)
    norms = [one for one in model.layers if isinstance(one, keras.layers.BatchNormalization)]
    assert {norm.momentum for norm in norms} == {0.9}


@pytest.mark.parametrize(
    "name, options, words",
    [
        ("fast_scnn", {"dropout": 1.0}, "dropout 1.0"),
        ("fast_scnn", {"output_stride": 8}, "output_stride"),
        ("bisenet_v2", {"dropout": -0.1}, "dropout -0.1"),
        ("bisenet_v2", {"head_width": 0}, "head_width 0"),
        ("bisenet_v2", {"expansion": "pointwise"}, "expansion 'pointwise'"),
    ],
)
def test_wrong_options_are_named(name, options, words):
    with pytest.raises(UserError, match=words):
        build_model(name, 5, **options)
