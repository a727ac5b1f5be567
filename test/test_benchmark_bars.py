"""`shuffleseg benchmark --suite bars` and what it compares with, not how fast anything is."""

import json
from unittest.mock import patch

import numpy as np
import pytest

from conftest import requires_tensorflow
from shuffleseg_core import LabelMap, UserError
from shuffleseg_core.image_file import read_rgb, write_png
from shuffleseg_core.synthetic_drive import SyntheticDrive
from shuffleseg_core.upsampling import LabelUpsampler

keras = pytest.importorskip("keras", exc_type=ImportError)
pytest.importorskip("onnx")

from test_deploy_graph import with_trained_looks  # noqa: E402

from shuffleseg_core.benchmark import bars, label_peers  # noqa: E402
from shuffleseg_core.benchmark.fitted_network import fit  # noqa: E402
from shuffleseg_core.benchmark.other_runtimes import (  # noqa: E402
    OnnxRuntimePipeline,
    OpenVINOPipeline,
)
from shuffleseg_core.export.onnx_export import export_onnx  # noqa: E402
from shuffleseg_core.models import build_model  # noqa: E402

pytestmark = requires_tensorflow

KEYS = {
    "plain_over_deploy_2t",
    "plain_over_deploy_1t",
    "logits_resize_over_deploy_1080p",
    "upsample_share",
    "mobilenet_basic_over_ours_224",
    "mobilenet_basic_over_ours_640",
    "mobilenet_dpc_over_ours_224",
    "mobilenet_dpc_over_ours_640",
    "onnxruntime_over_deploy",
    "openvino_over_deploy",
    "gemm_share",
}
NETWORKS = {
    "basic": ("shufflenet_v2", {"depth_multiplier": 0.5}),
    "dpc_align_corners": (
        "shufflenet_v2",
        {"depth_multiplier": 0.5, "head": "dpc", "align_corners": True},
    ),
    "decoder_odd_size": (
        "shufflenet_v2",
        {"depth_multiplier": 0.5, "decoder_stride": 4, "input_size": (65, 47)},
    ),
    "mobilenet": ("mobilenet_v2", {}),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_is_the_network_in_both_runtimes(name, tmp_path, rng):
    architecture, options = NETWORKS[name]
    options = {"input_size": (64, 48), **options}
    model = with_trained_looks(
        build_model(architecture, num_classes=11, upsample=False, **options), rng
    )
    width, height = size = options["input_size"]
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    expected = np.asarray(model(image[None].astype(np.float32), training=False))[0]
    export_onnx(model, tmp_path / "logits.onnx", labels=False)
    align_corners = options.get("align_corners", False)
    export_onnx(model, tmp_path / "labels.onnx", align_corners=align_corners)
    labels = LabelUpsampler(align_corners)(expected, size)
    for runtime in (OnnxRuntimePipeline, OpenVINOPipeline):
        logits = runtime(tmp_path / "logits.onnx", size, 1)._infer(image[None])[0]
        np.testing.assert_allclose(
            np.moveaxis(logits, 0, -1), expected, atol=1e-5 * np.abs(expected).max()
        )
        ours = runtime(tmp_path / "logits.onnx", size, 1)
        if not align_corners:
            same = ours.segment(image, np.empty((height, width), np.uint8))
            assert np.mean(same == labels) > 0.999
        pipeline = runtime(tmp_path / "labels.onnx", size, 1)
        found = pipeline.segment(image, np.empty((height, width), np.uint8))
        assert np.mean(found == labels) > 0.999  # rounding decides the rest
        assert pipeline.timings.inference > 0


def test_a_layer_without_onnx_is_named(tmp_path):
    image = keras.Input((8, 8, 3), batch_size=1)
    model = keras.Model(image, keras.layers.UpSampling2D(name="larger")(image))
    with pytest.raises(UserError, match="larger"):
        export_onnx(model, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_a_fitted_network_labels_large_areas():
    drive = SyntheticDrive(seed=1, width=160, height=96)
    images, truths = zip(*(drive.frame(5 * i)[:2] for i in range(4)))
    model = build_model("shufflenet_v2", num_classes=19, input_size=(160, 96), upsample=False)
    keras.utils.set_random_seed(0)
    fit(model, np.stack(images), np.stack(truths))
    logits = np.asarray(model(images[0][None].astype(np.float32), training=False))[0]
    upsampler = LabelUpsampler()
    labels = upsampler(logits, (160, 96))
    assert np.mean(labels == truths[0]) > 0.4
    assert 0 < upsampler.blended_share < 0.8


def test_other_ways_to_labels(rng):
    logits = rng.normal(size=(6, 8, 5)).astype(np.float32)
    logits[..., 3] = -9  # never the largest
    size = (80, 60)
    expected = LabelUpsampler()(logits, size)
    in_graph = label_peers.InGraph(logits.shape, size, num_threads=1)
    for way in (label_peers.all_logits, label_peers.valid_classes, in_graph):
        alone = label_peers.LabelsAlone(way)
        out = np.empty(size[::-1], np.uint8)
        alone.segment(logits, out)
        assert np.mean(out == expected) > 0.999  # rounding decides the rest
        assert alone.timings.postprocess > 0


def test_the_suite(shuffleseg, tmp_path):
    report, chart = tmp_path / "bars.json", tmp_path / "bars.png"
    sizes = {"SMALL": (64, 48), "LARGE": (64, 48), "CAMERA": (96, 72)}
    with patch.multiple(bars, **sizes, LABEL_SIZES=((64, 48),)):
        status, out, _ = shuffleseg(
            *("benchmark", "--suite", "bars", "--frames", 1, "--warm-up", 0),
            *("--operators", "--json", report, "--chart", chart),
        )
    assert status == 0
    found = json.loads(report.read_text())
    assert set(found["ratios"]) == KEYS and set(found["minima"]) == KEYS - {"upsample_share"}
    assert all(ratio > 0 for of in ("ratios", "minima") for ratio in found[of].values())
    assert set(found["same_labels"]) < KEYS
    deploy = found["groups"][bars.TWO]["deploy"]
    assert found["ratios"]["upsample_share"] == deploy["labels_ms"] / deploy["p50_ms"]
    assert found["gmac"] > found["gmac_executed"] > 0
    assert 0 < found["blended_pixels"] < 1
    assert {o["name"] for o in found["operators"]["plain, threads 1"]} > {"TRANSPOSE", "ARG_MAX"}
    assert all(key in out for key in KEYS) and "OpenVINO" in out
    assert read_rgb(chart).std() > 0


@pytest.mark.parametrize(
    "options, words",
    [
        (["some.tflite"], "leave out"),
        (["--threads", "4"], "leave out"),
        (["--source", "drive"], "labels beside"),
    ],
)
def test_mistakes(shuffleseg, tmp_path, monkeypatch, street, options, words):
    (tmp_path / "drive").mkdir()
    write_png(tmp_path / "drive" / "a.png", street)
    monkeypatch.chdir(tmp_path)
    status, out, err = shuffleseg("benchmark", "--suite", "bars", *options)
    assert (status, out) == (2, "")
    assert words in err and len(err.strip().splitlines()) == 1


def test_ids_of_the_cityscapes_are_enough_for_camvid():
    assert len(LabelMap.named("cityscapes")) >= len(LabelMap.named("camvid"))
