"""LR-ASPP on MobileNetV3 and TopFormer: costs as published, structure, export, training."""

import numpy as np
import pytest

from conftest import requires_tensorflow
from shuffleseg_core import LabelMap, Segmenter
from shuffleseg_core.errors import UserError

keras = pytest.importorskip("keras", exc_type=ImportError)

from shuffleseg_core.export.tflite_export import export_tflite, random_network  # noqa: E402
from shuffleseg_core.models import build_model  # noqa: E402
from shuffleseg_core.models.attention import Attention  # noqa: E402
from shuffleseg_core.models.statistics import model_statistics  # noqa: E402

pytestmark = requires_tensorflow

NETWORKS = ("lraspp", "topformer_tiny")


def trained_weights(model):
    """As PyTorch counts: without batch norms' statistics."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize(
    "options, millions, gmac",
    # Table 7 of arXiv:1905.02244, rows 8 and 7. Theirs count 2 % more multiply-adds: about what
    # the batch norms have.
    [({}, 1.51, 9.74), ({"head_width": 256}, 1.63, 10.33)],
)
def test_lraspp_costs_of_table_7(options, millions, gmac):
    # DeepLab's code takes Cityscapes's images of 2048×1024 with a row and a column more.
    model = build_model("lraspp", 19, input_size=(2049, 1025), upsample=False, **options)
    assert round(trained_weights(model) / 1e6, 2) == millions
    assert 0.975 * gmac < model_statistics(model).gmac < gmac


def test_lraspp_with_the_parameters_of_torchvisions():
    model = build_model(
        "lraspp", 21, variant="torchvision", halved_tail=False, input_size=(520, 520)
    )
    # Both its classifiers have a bias; here, where they are one, one of 21 is enough.
    assert trained_weights(model) == 3_221_538 - 21
    assert model_statistics(model).gmac == pytest.approx(2.09, abs=0.01)


def test_lraspp_exact_costs():
    for size, gmac in (((224, 224), 0.2248), ((640, 360), 1.0442)):
        statistics = model_statistics(build_model("lraspp", 19, input_size=size))
        assert (statistics.parameters, round(statistics.gmac, 4)) == (1_525_211, gmac)


@pytest.mark.parametrize(
    "classes, size, gflops, gmac",
    # ADE20K: the authors' README; Cityscapes: arXiv:2204.05525. "FLOPs" are multiply-adds; with
    # those of batch norms and activations among them ours are 1.16 at 1024×512.
    [
        (150, (512, 512), 0.6, 0.6007),
        (150, (448, 448), 0.5, 0.4593),
        (19, (1024, 512), 1.2, 1.0703),
    ],
)
def test_topformer_tiny_costs_as_published(classes, size, gflops, gmac):
    model = build_model("topformer_tiny", classes, input_size=size, upsample=False)
    assert round(trained_weights(model) / 1e6, 1) == 1.4
    found = model_statistics(model).gmac
    assert round(found, 4) == gmac and 0.89 * gflops < found < 1.01 * gflops


def test_topformer_tiny_exact_costs():
    for size, gmac in (((224, 224), 0.1055), ((640, 360), 0.4757)):
        model = build_model("topformer_tiny", 19, input_size=size)
        statistics = model_statistics(model)
        assert (statistics.parameters, round(statistics.gmac, 4)) == (1_407_219, gmac)
        assert trained_weights(model) == 1_389_011
        tokens = model.get_layer("tokens").output.shape
        assert tokens == (None, -(-size[1] // 64), -(-size[0] // 64), 16 + 32 + 64 + 96)


def test_attention_head_by_head(rng):
    shapes = (2, 3, 4, 8), (2, 2, 5, 8), (2, 2, 5, 6)
    queries, keys, values = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
    found = np.asarray(Attention(heads=2, scale=0.5)([queries, keys, values]))
    for head in range(2):
        q, k = (x[..., 4 * head : 4 * head + 4] for x in (queries, keys))
        weights = np.exp(0.5 * np.einsum("byxc,bhwc->byxhw", q, k))
        weights /= weights.sum((3, 4), keepdims=True)
        v = values[..., 3 * head : 3 * head + 3]
        expected = np.einsum("byxhw,bhwc->byxc", weights, v)
        np.testing.assert_allclose(found[..., 3 * head : 3 * head + 3], expected, atol=1e-5)


def test_drop_path_leaves_out_whole_branches(rng):
    model = build_model("topformer_tiny", 5, drop_path=0.5)
    rates = [model.get_layer(f"block{n}_mlp_drop_path").rate for n in (2, 3, 4)]
    assert rates == pytest.approx([0.5 / 3, 1 / 3, 0.5])
    branch = np.ones((64, 2, 3, 4), np.float32)
    kept = np.asarray(model.get_layer("block4_mlp_drop_path")(branch, training=True))
    kept = kept.reshape(64, -1)
    assert (kept == kept[:, :1]).all() and set(kept[:, 0].tolist()) == {0.0, 2.0}
    assert not any("drop_path" in layer.name for layer in
                   build_model("topformer_tiny", 5, drop_path=0).layers)  # fmt: skip


def operators(segmenter):
    return [operator["op_name"] for operator in segmenter._interpreter._get_ops_details()]


def test_hard_swish_is_one_operator(tmp_path):
    export_tflite(
        random_network(LabelMap.named("camvid"), (96, 64), "lraspp"), tmp_path / "x.tflite"
    )
    segmenter = Segmenter(tmp_path / "x.tflite", num_threads=1)
    # The stem, two a unit from 80 channels on, the last 1×1.
    assert operators(segmenter).count("HARD_SWISH") == 1 + 2 * 9 + 1


@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_lraspp_takes_any_output_stride(output_stride):
    model = build_model("lraspp", 5, output_stride=output_stride, input_size=(128, 64))
    assert model.get_layer("head_conv1x1").output.shape[1] == 64 // output_stride
    assert model.get_layer("logits").output.shape[1:3] == (8, 16)
    rates = {8: (1, 2, 2, 4), 16: (1, 1, 1, 2), 32: (1, 1, 1, 1)}[output_stride]
    for name, rate in zip(("stage4_unit1", "stage4_unit2", "stage6_unit1", "stage6_unit2"), rates):
        assert model.get_layer(f"{name}_depthwise").dilation_rate == (rate, rate)


@pytest.mark.parametrize(
    "architecture, options, words",
    [
        ("lraspp", {"output_stride": 4}, "output_stride 4"),
        ("lraspp", {"variant": "caffe"}, "variant 'caffe'"),
        ("lraspp", {"head_width": 0}, "head_width 0"),
        ("topformer_tiny", {"dropout": 1}, "dropout 1"),
        ("topformer_tiny", {"drop_path": -0.1}, "drop_path -0.1"),
    ],
)
def test_values_out_of_range_are_named(architecture, options, words):
    with pytest.raises(UserError, match=words):
        build_model(architecture, 5, **options)
