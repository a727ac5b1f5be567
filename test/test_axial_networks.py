"""SeaFormer and PP-MobileSeg: costs as published, attention, structure, export, training."""

import numpy as np
import pytest

from conftest import requires_tensorflow
from shuffleseg_core.errors import UserError

keras = pytest.importorskip("keras", exc_type=ImportError)

from shuffleseg_core.models import build_model  # noqa: E402
from shuffleseg_core.models.axial_attention import SqueezeAxialAttention  # noqa: E402
from shuffleseg_core.models.blocks import ResizeLike  # noqa: E402
from shuffleseg_core.models.seaformer import SIZES, seaformer_segmentation  # noqa: E402
from shuffleseg_core.models.statistics import model_statistics  # noqa: E402

pytestmark = requires_tensorflow

NETWORKS = {"seaformer_small": 8, "pp_mobileseg_tiny": 16}  # and the stride of their logits


def trained_weights(model):
    """As PyTorch counts: without batch norms' statistics."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def gflops_by_fvcore(model):
    """As the SeaFormer authors count (their code calls fvcore): multiply-accumulates, 2 an
    element of batch norm, 4 an element of bilinear resize."""
    operations = model_statistics(model).macs
    for layer in model.layers:
        weight = {keras.layers.BatchNormalization: 2, ResizeLike: 4}.get(type(layer), 0)
        operations += weight * int(np.prod(layer.output.shape[1:])) if weight else 0
    return operations / 1e9


@pytest.mark.parametrize(
    "size, classes, image_size, parameters, millions, gflops",
    # Tables of ADE20K and Cityscapes in arXiv:2301.13156 (and in the authors' README); without
    # the logits' resize to the image's size.
    [
        ("tiny", 150, (512, 512), 1_667_318, 1.7, 0.6),
        ("small", 150, (512, 512), 3_990_118, 4.0, 1.1),
        ("small", 19, (1024, 512), 3_973_219, 4.0, 2.0),
        ("small", 19, (2048, 1024), 3_973_219, 4.0, 8.0),
        ("base", 150, (512, 512), 8_605_654, 8.6, 1.8),
        ("base", 19, (2048, 1024), 8_584_563, 8.6, 13.7),
    ],
)
def test_seaformer_costs_as_published(size, classes, image_size, parameters, millions, gflops):
    image = keras.Input((image_size[1], image_size[0], 3))
    model = keras.Model(image, seaformer_segmentation(image, classes, SIZES[size]))
    assert trained_weights(model) == parameters
    assert round(parameters / 1e6, 1) == millions
    assert round(gflops_by_fvcore(model), 1) == gflops


def test_pp_mobileseg_parameters():
    """Published: 1.44 M (512×512, 150 classes), in a table of the authors' README 1.61 M.

    Their code builds what is counted here, 1.49 M; 1.44 M is what is left of it with batch norm
    folded and without the classifier.
    """
    model = build_model("pp_mobileseg_tiny", 150, input_size=(512, 512))
    assert trained_weights(model) == 1_492_298
    classifier = 150 * (256 + 1)
    assert round((model_statistics(model).deployed_parameters - classifier) / 1e6, 2) == 1.44


@pytest.mark.parametrize(
    "architecture, parameters, trained, gmacs",
    [
        ("seaformer_small", 4_014_499, 3_973_219, (0.1937, 0.8717)),
        ("pp_mobileseg_tiny", 1_482_231, 1_458_631, (0.1304, 0.6038)),
    ],
)
def test_exact_costs(architecture, parameters, trained, gmacs):
    for size, gmac in zip(((224, 224), (640, 360)), gmacs):
        model = build_model(architecture, 19, input_size=size)
        statistics = model_statistics(model)
        assert (statistics.parameters, round(statistics.gmac, 4)) == (parameters, gmac)
    assert trained_weights(model) == trained


def by_head(x, heads):
    """[N, C] → heads of [N, C / heads]."""
    return np.split(x, heads, axis=-1)


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("size", [(3, 5), (16, 20), (40, 1)])
def test_attention_of_rows_and_columns(axis, size, rng):
    heads, keys = 2, 3
    qkv = rng.normal(size=(2, *size, 4 * heads * keys)).astype(np.float32)
    layer = SqueezeAxialAttention(heads, axis)
    found = np.asarray(layer(qkv))
    length = size[axis - 1]
    assert found.shape == (2, *((length, 1) if axis == 1 else (1, length)), 2 * heads * keys)
    positions = np.asarray(layer.positions)
    assert positions.shape == (16, 2 * heads * keys)
    # As PyTorch interpolates: half-pixel centres, the ends repeated.
    where = (np.arange(length) + 0.5) * 16 / length - 0.5
    positions = np.stack([np.interp(where, np.arange(16), one) for one in positions.T], -1)
    for image, result in zip(qkv.mean(axis=3 - axis), found.reshape(2, length, -1)):
        q, k, v = np.split(image, [heads * keys, 2 * heads * keys], axis=-1)
        for part, position in zip((q, k), np.split(positions, 2, axis=-1)):
            part += position
        for query, key, value, one in zip(*(by_head(x, heads) for x in (q, k, v, result))):
            weights = np.exp(query @ key.T / np.sqrt(keys))
            weights /= weights.sum(-1, keepdims=True)
            np.testing.assert_allclose(one, weights @ value, atol=1e-5)


def test_attention_is_counted():
    image = keras.Input((10, 7, 24))
    layer = SqueezeAxialAttention(2, 1)
    layer(image)
    assert layer.macs() == 2 * (10 * 10 * 3 + 10 * 10 * 6)  # 3 keys, 6 values a head
    assert layer.count_params() == 16 * 12


def test_attention_names_what_does_not_fit():
    with pytest.raises(ValueError, match="axis 3"):
        SqueezeAxialAttention(2, 3)
    with pytest.raises(ValueError, match="20 channels"):
        SqueezeAxialAttention(2, 1)(np.zeros((1, 4, 4, 20), np.float32))


def test_seaformer_strides_and_widths():
    model = build_model("seaformer_small", 19, input_size=(512, 256))
    for name, stride, width in (
        ("stage2_unit2_add", 8, 48),
        ("stage4_block3_output", 32, 160),
        ("stage5_block3_output", 64, 192),
        ("fusion1_gated", 8, 96),
        ("fusion2_gated", 8, 128),
    ):
        assert model.get_layer(name).output.shape == (None, 256 // stride, 512 // stride, width)
    # 6 heads of 16 and 24 keys
    assert model.get_layer("stage4_block1_attention_qkv").filters == 4 * 6 * 16
    assert model.get_layer("stage5_block3_attention_qkv").filters == 4 * 6 * 24
    assert model.get_layer("stage4_block1_mlp_expand").filters == 2 * 160
    assert model.get_layer("stage5_block1_mlp_expand").filters == 4 * 192


def test_pp_mobileseg_strides_and_widths():
    model = build_model("pp_mobileseg_tiny", 19, input_size=(512, 256))
    for name, stride, width in (
        ("stage2_unit2_add", 8, 32),
        ("stage3_block2_output", 16, 64),
        ("stage3_block2_attention_stride", 32, 64),
        ("stage4_block2_output", 32, 128),
        ("stage4_block2_attention_stride", 64, 128),
        ("aam_output", 16, 256),
    ):
        assert model.get_layer(name).output.shape == (None, 256 // stride, 512 // stride, width)
    assert model.get_layer("stage3_block1_attention_qkv").filters == 4 * 4 * 16
    assert model.get_layer("stage4_block1_attention_qkv").filters == 4 * 4 * 24


def test_drop_path_leaves_out_whole_branches():
    model = build_model("seaformer_small", 5, drop_path=0.5)
    rates = [model.get_layer(f"stage5_block{n}_mlp_drop_path").rate for n in (2, 3)]
    assert rates == [0.25, 0.5]
    assert "stage5_block1_mlp_drop_path" not in {layer.name for layer in model.layers}
    branch = np.ones((64, 2, 3, 4), np.float32)
    kept = np.asarray(model.get_layer("stage5_block3_mlp_drop_path")(branch, training=True))
    kept = kept.reshape(64, -1)
    assert (kept == kept[:, :1]).all() and set(kept[:, 0].tolist()) == {0.0, 2.0}


def test_dropout_takes_whole_channels():
    dropout = build_model("pp_mobileseg_tiny", 5, dropout=0.5).get_layer("dropout")
    kept = np.asarray(dropout(np.ones((2, 3, 4, 64), np.float32), training=True))
    assert (kept == kept[:, :1, :1]).all() and set(kept.ravel().tolist()) == {0.0, 2.0}


def with_trained_looks(model, rng):
    """Batch norms and biases as after a training, not as they begin."""
    for variable in model.weights:
        if "moving_variance" in variable.path or "gamma" in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif len(variable.shape) == 1:
            variable.assign(rng.normal(0, 0.3, variable.shape))
    return model


@pytest.mark.parametrize("architecture", NETWORKS)
@pytest.mark.parametrize("option, value", [("dropout", 1), ("drop_path", -0.1)])
def test_values_out_of_range_are_named(architecture, option, value):
    with pytest.raises(UserError, match=f"{option} {value}"):
        build_model(architecture, 5, **{option: value})
