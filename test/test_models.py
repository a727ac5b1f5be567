"""The network against the paper's arithmetic and structure."""

import subprocess
import sys

import numpy as np
import pytest

from conftest import requires_tensorflow
from shuffleseg_core.errors import UserError

keras = pytest.importorskip("keras", exc_type=ImportError)

from shuffleseg_core.models import build_model  # noqa: E402
from shuffleseg_core.models.heads import load_dpc_cell  # noqa: E402
from shuffleseg_core.models.shufflenet_v2 import (  # noqa: E402
    STAGE_WIDTHS,
    UNIT_VARIANTS,
    unit_variant_of,
)
from shuffleseg_core.models.statistics import model_statistics  # noqa: E402

pytestmark = requires_tensorflow


@pytest.mark.parametrize(
    "head, size, parameters, gmac",
    [
        ("basic", (224, 224), 1_163_781, 0.2311),
        ("basic", (640, 360), 1_163_781, 1.0804),
        ("dpc", (224, 224), 1_526_165, 0.3236),
        ("dpc", (640, 360), 1_526_165, 1.5146),
    ],
)
def test_costs_of_table_1(head, size, parameters, gmac):
    statistics = model_statistics(build_model("shufflenet_v2", 19, head=head, input_size=size))
    assert statistics.parameters == parameters
    assert round(statistics.gmac, 4) == gmac


@pytest.mark.parametrize(
    "head, size, gflops, megabytes",
    [
        ("basic", (224, 224), 1.0, 8.4),
        ("basic", (640, 360), 4.69, 8.4),
        ("dpc", (224, 224), 1.18, 9.9),
        ("dpc", (640, 360), 5.56, 9.9),
    ],
)
def test_costs_of_mobilenet_v2_as_in_tables_2_and_5(head, size, gflops, megabytes):
    statistics = model_statistics(
        build_model("mobilenet_v2", 19, head=head, input_size=size, upsample=False)
    )
    assert statistics.gflops == pytest.approx(gflops, rel=0.01)
    assert statistics.tflite_mb == pytest.approx(megabytes, rel=0.01)


def test_mobilenet_v2_takes_any_output_stride(rng):
    for stride in (8, 16, 32):
        model = build_model("mobilenet_v2", 5, output_stride=stride, upsample=False)
        image = rng.uniform(0, 255, (1, 33, 65, 3)).astype("float32")
        assert model(image).shape == (1, -(-33 // stride), -(-65 // stride), 5)


def test_counting_without_keras_gives_keras_counts():
    program = """
import itertools, sys
if sys.argv[1] == "without":
    sys.modules["keras"] = None
from shuffleseg_core.models import build_model, engine
from shuffleseg_core.models.shufflenet_v2 import UNIT_VARIANTS
from shuffleseg_core.models.statistics import model_statistics
assert engine.keras.__name__.startswith("shuffleseg_core") == (sys.argv[1] == "without")
multipliers = itertools.cycle((0.5, 1.0, 1.5, 2.0))
for head, stride in itertools.product(("basic", "dpc"), (8, 16, 32)):
    model = build_model("shufflenet_v2", 7, head=head, input_size=(71, 33),
                        output_stride=stride, depth_multiplier=next(multipliers))
    print(model_statistics(model))
for variant in UNIT_VARIANTS:
    model = build_model("shufflenet_v2", 7, input_size=(71, 33), unit_variant=variant)
    print(model_statistics(model))
model = build_model("shufflenet_v2", 7, input_size=(71, 33), decoder_stride=4, projection_width=96)
print(model_statistics(model))
for stride in (8, 16, 32):
    model = build_model("mobilenet_v2", 7, input_size=(71, 33), output_stride=stride)
    print(model_statistics(model))
"""
    counts = [
        subprocess.run([sys.executable, "-c", program, way], check=True, capture_output=True).stdout
        for way in ("with", "without")
    ]
    assert counts[0] == counts[1]
    assert counts[0].count(b"\n") == 6 + 3 + 1 + 3


@pytest.mark.parametrize("head", ["basic", "dpc"])
@pytest.mark.parametrize("size", [(33, 47), (64, 64)])
@pytest.mark.parametrize("align_corners", [False, True])
def test_any_input_size_gives_logits_of_that_size(head, size, align_corners, rng):
    model = build_model(
        "shufflenet_v2", 5, head=head, depth_multiplier=0.5, align_corners=align_corners
    )
    image = rng.uniform(0, 255, (1, size[1], size[0], 3)).astype(np.float32)
    assert model(image).shape == (1, size[1], size[0], 5)


@pytest.mark.parametrize(
    "output_stride, stage3, stage4",
    # (rate of a stage's first unit, rate of its others): section 3.1 and table 1
    [(32, (1, 1), (1, 1)), (16, (1, 1), (1, 2)), (8, (1, 2), (2, 4))],
)
def test_atrous_rates_replace_lost_strides(output_stride, stage3, stage4):
    model = build_model("shufflenet_v2", 5, output_stride=output_stride, input_size=(64, 64))
    for stage, rates in ((3, stage3), (4, stage4)):
        for unit, rate in ((1, rates[0]), (2, rates[1]), (4, rates[1])):
            layer = model.get_layer(f"stage{stage}_unit{unit}_depthwise")
            assert layer.dilation_rate == (rate, rate)
    assert model.get_layer("stage4_output").output.shape[1] == 64 // output_stride


def test_official_checkpoints_rate_in_stage_4():
    model = build_model("shufflenet_v2", 5, stage4_rate_1=True)
    assert model.get_layer("stage4_unit3_depthwise").dilation_rate == (1, 1)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("output_stride, decoder_stride", [(16, 2), (16, 4), (8, 4), (32, 8)])
def test_decoder_ends_at_its_stride(output_stride, decoder_stride, align_corners, rng):
    options = {
        "depth_multiplier": 0.5, "output_stride": output_stride, "align_corners": align_corners,
        "decoder_stride": decoder_stride, "decoder_width": 16,
    }  # fmt: skip
    image = rng.uniform(0, 255, (1, 49, 71, 3)).astype(np.float32)
    coarse = build_model("shufflenet_v2", 5, upsample=False, **options)(image)
    assert coarse.shape == (1, -(-49 // decoder_stride), -(-71 // decoder_stride), 5)
    assert build_model("shufflenet_v2", 5, **options)(image).shape == (1, 49, 71, 5)


def test_decoder_sees_details_that_the_context_lacks(rng):
    """One pixel moves the logits near it more than a bilinear resize of coarse logits could."""
    model = build_model("shufflenet_v2", 5, decoder_stride=4, upsample=False, dropout=0)
    image = rng.uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    other = image.copy()
    other[0, 32, 32] = 255 - other[0, 32, 32]
    moved = np.abs(np.asarray(model(image) - model(other))).max(-1)[0]
    peak = np.unravel_index(moved.argmax(), moved.shape)
    assert max(abs(place - 8) for place in peak) <= 2
    assert moved.max() > 5 * np.median(moved)


def test_models_within_the_budgets_of_small_computers():
    """480×360, 11 classes: at most 0.9 GMAC the fast one; 1.6 M parameters, 1.7 GMAC the other."""
    fast = build_model("shufflenet_v2", 11, input_size=(480, 360), decoder_stride=4,
                       decoder_width=48)  # fmt: skip
    assert model_statistics(fast).gmac <= 0.9
    accurate = model_statistics(
        build_model("shufflenet_v2", 11, head="dpc", input_size=(480, 360), decoder_stride=4)
    )
    assert accurate.gmac <= 1.7 and accurate.parameters <= 1.6e6


@pytest.mark.parametrize(
    "options, words",
    [
        ({"decoder_stride": 3}, "decoder_stride 3"),
        ({"decoder_stride": 8, "output_stride": 8}, "below the output_stride"),
        ({"decoder_stride": 8, "decoder_width": 1}, "decoder_width 1"),
        ({"decoder_stride": 2, "decoder_width": 3}, "decoder_width 3"),
        ({"decoder_stride": 4, "decoder_units": 0}, "decoder_units 0"),
        ({"decoder_stride": 8, "detail_width": 16}, "detail_width"),
        ({"detail_width": 16}, "detail_width"),
    ],
)
def test_decoders_that_cannot_be(options, words):
    with pytest.raises(UserError, match=words):
        build_model("shufflenet_v2", 5, **options)


@pytest.mark.parametrize("multiplier", STAGE_WIDTHS)
def test_stage_widths(multiplier):
    model = build_model("shufflenet_v2", 5, depth_multiplier=multiplier)
    widths = [model.get_layer(f"stage{stage}_output").output.shape[-1] for stage in (2, 3, 4)]
    assert tuple(widths) == STAGE_WIDTHS[multiplier]


@pytest.mark.parametrize(
    "multiplier, published, last",
    # Trained parameters of torchvision's classifiers, with 1000 classes behind a last 1×1.
    [
        (0.5, 1_366_792, 1024),
        (1.0, 2_278_604, 1024),
        (1.5, 3_503_624, 1024),
        (2.0, 7_393_996, 2048),
    ],
)
def test_torchvisions_units_have_its_parameters(multiplier, published, last):
    model = build_model("shufflenet_v2", 5, depth_multiplier=multiplier, unit_variant="torchvision")
    backbone = keras.Model(model.input, model.get_layer("stage4_output").output)
    trained = sum(np.prod(weight.shape) for weight in backbone.trainable_weights)
    classifier = STAGE_WIDTHS[multiplier][-1] * last + 2 * last + last * 1000 + 1000
    assert trained + classifier == published


def test_authors_units_keep_the_shortcuts_width():
    model = build_model("shufflenet_v2", 5, unit_variant="megvii")
    assert model.get_layer("stage2_unit1_shortcut_conv1x1").kernel.shape == (1, 1, 24, 24)
    assert model.get_layer("stage2_unit1_conv1x1_before").kernel.shape == (1, 1, 24, 58)
    assert model.get_layer("stage2_unit1_conv1x1_after").kernel.shape == (1, 1, 58, 92)
    assert model.get_layer("stage3_unit1_conv1x1_after").kernel.shape == (1, 1, 116, 116)


@pytest.mark.parametrize("variant", UNIT_VARIANTS)
def test_a_model_knows_its_unit_variant(variant):
    model = build_model("shufflenet_v2", 5, depth_multiplier=0.5, unit_variant=variant)
    assert unit_variant_of(model) == variant


def test_dpc_rates_double_at_output_stride_8():
    model = build_model("shufflenet_v2", 5, head="dpc", output_stride=8)
    for index, branch in enumerate(load_dpc_cell()):
        layer = model.get_layer(f"dpc{index}_depthwise")
        assert layer.dilation_rate == tuple(2 * rate for rate in branch["rate"])


def test_channel_shuffle_interleaves_the_halves():
    from shuffleseg_core.models.shufflenet_v2.backbone import ChannelShuffle

    x = np.arange(6, dtype=np.float32).reshape(1, 1, 1, 6)
    shuffled = keras.ops.convert_to_numpy(ChannelShuffle(2)(x))
    assert shuffled.ravel().tolist() == [0, 3, 1, 4, 2, 5]
    apart = keras.ops.convert_to_numpy(ChannelShuffle(3)(x))
    assert apart.ravel().tolist() == [0, 2, 4, 1, 3, 5]


def test_align_corners_resize_keeps_corner_samples(rng):
    from shuffleseg_core.models.blocks import ResizeLike

    x = rng.normal(size=(1, 3, 4, 2)).astype(np.float32)
    big = np.asarray(ResizeLike(align_corners=True)([x, np.zeros((1, 33, 49, 1))]))
    np.testing.assert_allclose(big[:, ::16, ::16], x, atol=1e-5)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"architecture": "vgg"}, "vgg"),
        ({"head": "aspp"}, "aspp"),
        ({"output_stride": 4}, "output_stride"),
        ({"depth_multiplier": 3}, "depth_multiplier"),
        ({"unit_variant": "caffe"}, "unit_variant"),
        ({"widht": 3}, "widht"),
    ],
)
def test_wrong_options_are_named(options, words):
    with pytest.raises(UserError, match=words):
        build_model(**{"architecture": "shufflenet_v2", "num_classes": 5, **options})
