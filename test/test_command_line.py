"""`shuffleseg` as a user calls it: results, exit statuses, one-line mistakes."""

import json
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from conftest import CAMVID, requires_camvid
from shuffleseg_core import Segmenter
from shuffleseg_core.image_file import read_labels, read_rgb
from shuffleseg_core.metrics import ConfusionMatrix
from tiny_camvid import make_camvid


def _assert_mistake(result, words):
    status, _, err = result
    assert status == 2
    assert words in err
    assert len(err.strip().splitlines()) == 1 and "Traceback" not in err


def test_segment_images_folders_and_videos(shuffleseg, tiny_tflite, tmp_path, rng):
    root = make_camvid(tmp_path / "data")
    video = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (64, 48))
    for _ in range(3):
        writer.write(rng.integers(0, 256, (48, 64, 3), np.uint8))
    writer.release()
    image = tmp_path / "one.png"
    cv2.imwrite(str(image), rng.integers(0, 256, (33, 41, 3), np.uint8))
    out = tmp_path / "out"
    inputs = (root / "train" / "images", video, image)
    status, _, _ = shuffleseg(
        "segment", *inputs, "--output", out, "--model", tiny_tflite, "--overlay"
    )
    assert status == 0
    names = {path.name for path in out.iterdir()}
    assert {"f000.png", "f005.png", "drive_000002.png", "one.png", "one_overlay.png"} <= names
    assert len(names) == 2 * (6 + 3 + 1)
    expected = Segmenter(tiny_tflite).segment(read_rgb(image))
    np.testing.assert_array_equal(read_labels(out / "one.png"), expected)
    assert read_rgb(out / "one_overlay.png").shape == (33, 41, 3)


def test_several_workers_write_the_same(shuffleseg, tiny_tflite, tmp_path):
    images = make_camvid(tmp_path / "data") / "train" / "images"
    (images / "f002.jpg").write_bytes(b"no image")
    (images / "f004.jpg").write_bytes(b"none either")
    for workers in (1, 3):
        out = tmp_path / str(workers)
        status, said, err = shuffleseg(
            *("segment", images, "--output", out, "--model", tiny_tflite, "--workers", workers)
        )
        assert status == 2 and said.startswith("4 label images")
        assert err.index("f002.jpg") < err.index("f004.jpg")
    one, three = ({p.name: p.read_bytes() for p in (tmp_path / w).iterdir()} for w in "13")
    assert len(one) == 4 and one == three
    _assert_mistake(
        shuffleseg("segment", images, "--output", tmp_path / "o", "--workers", 0), "--workers is 0"
    )
    _assert_mistake(
        shuffleseg("segment", images, "--output", tmp_path / "o", "--threads", 0),
        "num_threads is 0",
    )


def test_segment_goes_on_after_an_unreadable_frame(shuffleseg, tiny_tflite, tmp_path):
    images = make_camvid(tmp_path / "data") / "train" / "images"
    (images / "f002.jpg").write_bytes(b"no image")
    out = tmp_path / "out"
    status, _, err = shuffleseg("segment", images, "--output", out, "--model", tiny_tflite)
    assert status == 2
    assert "f002.jpg" in err and "Traceback" not in err
    assert len(list(out.iterdir())) == 5


def test_segment_overwrites_neither_inputs_nor_overlays(shuffleseg, tiny_tflite, tmp_path, rng):
    picture = rng.integers(0, 256, (33, 41, 3), np.uint8)
    for name in ("x.png", "x_overlay.jpg"):
        cv2.imwrite(str(tmp_path / name), picture)
    before = (tmp_path / "x.png").read_bytes()
    options = ("--model", tiny_tflite)
    _assert_mistake(
        shuffleseg("segment", tmp_path, "--output", tmp_path, *options), "would be overwritten"
    )
    out = tmp_path / "out"
    _assert_mistake(
        shuffleseg("segment", tmp_path, "--output", out, "--overlay", *options), "overwrite"
    )
    assert not out.exists()
    assert (tmp_path / "x.png").read_bytes() == before


def test_json_goes_through_links_and_pipes(shuffleseg, tiny_tflite, tmp_path):
    (tmp_path / "target.json").write_text("old")
    (tmp_path / "link.json").symlink_to("target.json")
    assert shuffleseg("summary", tiny_tflite, "--json", tmp_path / "link.json")[0] == 0
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "target.json").read_text())["labels"]
    command = [sys.executable, "-m", "shuffleseg_core.cli", "summary", tiny_tflite]
    result = subprocess.run(
        [*command, "--json", "/dev/stderr"], capture_output=True, text=True, check=True
    )
    assert '"labels"' in result.stderr
    _assert_mistake(shuffleseg("summary", tiny_tflite, "--json", tmp_path), "cannot be written")


def test_segment_does_not_overwrite_its_own_results(shuffleseg, tiny_tflite, tmp_path):
    images = make_camvid(tmp_path / "data") / "train" / "images"
    shutil.copytree(images, tmp_path / "again")
    _assert_mistake(
        shuffleseg(
            "segment", images, tmp_path / "again", "--output", tmp_path / "o",
            "--model", tiny_tflite,
        ),
        "overwrite",
    )  # fmt: skip


def test_evaluate_scores_as_the_matrix_does(shuffleseg, tiny_tflite, tmp_path):
    root = make_camvid(tmp_path / "data")
    target = tmp_path / "scores.json"
    status, out, _ = shuffleseg(
        "evaluate", tiny_tflite, "--dataset", "camvid", "--root", root, "--split", "val",
        "--json", target,
    )  # fmt: skip
    assert status == 0 and "mIoU" in out
    report = json.loads(target.read_text())
    matrix = ConfusionMatrix(11, 11)
    segmenter = Segmenter(tiny_tflite)
    for path in sorted((root / "val" / "images").iterdir()):
        truth = read_labels(root / "val" / "labels" / f"{path.stem}.png")
        matrix.update(truth, segmenter.segment(read_rgb(path)))
    assert report["frames"] == 2
    assert report["miou"] == pytest.approx(matrix.miou())
    for name, value in zip(segmenter.label_map.names, matrix.iou()):
        expected = None if np.isnan(value) else pytest.approx(value)
        assert report["iou"][name] == expected


def test_evaluate_refuses_a_model_of_other_classes(shuffleseg, tiny_models, tmp_path):
    root = make_camvid(tmp_path / "data")
    result = shuffleseg("evaluate", tiny_models / "dpc_19.tflite", "--root", root, "--split", "val")
    _assert_mistake(result, "class_0")


def test_summary_of_a_file(shuffleseg, tiny_tflite):
    status, out, _ = shuffleseg("summary", tiny_tflite, "--json", "-")
    report = json.loads(out)
    assert status == 0
    assert {"parameters", "gmac", "gflops", "tflite_mb", "labels", "input_size"} <= set(report)
    assert report["labels"][0] == "sky" and report["input_size"] == "64x48"
    assert report["tflite_mb"] == pytest.approx(tiny_tflite.stat().st_size / 1e6)


@pytest.mark.parametrize(
    "head, size, parameters, gmac, megabytes",
    [("basic", "224x224", 1163781, 0.2311, 4.57), ("dpc", "640x360", 1526165, 1.5146, 5.99)],
)
def test_summary_of_an_architecture(shuffleseg, head, size, parameters, gmac, megabytes):
    status, out, _ = shuffleseg(
        "summary", "--architecture", "shufflenet_v2", "--head", head, "--classes", "19",
        "--size", size, "--json", "-",
    )  # fmt: skip
    report = json.loads(out)
    assert status == 0
    assert report["parameters"] == parameters
    assert round(report["gmac"], 4) == gmac
    assert report["gflops"] == pytest.approx(2 * report["gmac"])
    assert report["tflite_mb"] == pytest.approx(megabytes, rel=0.01)


def test_estimated_size_is_the_real_one(tiny_models):
    from shuffleseg_core.models import build_model
    from shuffleseg_core.models.statistics import model_statistics

    for name, classes, head in (("logits", 11, "basic"), ("dpc_19", 19, "dpc")):
        model = build_model(
            "shufflenet_v2", classes, head=head, depth_multiplier=0.5, input_size=(64, 48)
        )
        real = (tiny_models / f"{name}.tflite").stat().st_size / 1e6
        assert model_statistics(model).tflite_mb == pytest.approx(real, rel=0.01)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("segment", "/nothing", "--output", "o"), "/nothing: no such file"),
        (("evaluate", "/nothing.tflite", "--root", "r", "--split", "s"), "/nothing.tflite"),
        (("summary",), "either"),
        (("summary", "--architecture", "vgg"), "vgg"),
        (("summary", "--architecture", "shufflenet_v2", "--size", "640"), "WIDTHxHEIGHT"),
        (("summary", "--architecture", "shufflenet_v2", "--head", "x"), "head"),
        (("train", "unknown", "--root", "r", "--output", "o"), "unknown"),
        (("train", "camvid_basic", "--root", "/nothing", "--output", "o"), "/nothing"),
        (("train", "camvid_basic", "--root", "r", "--output", "o", "--set", "x"), "--set"),
        (
            ("train", "camvid_basic", "--root", "r", "--output", "o", "--checkpoint-steps", "0"),
            "--checkpoint-steps",
        ),
        (("export", "/nothing", "--output", "m.tflite"), "/nothing"),
        (("export", "/nothing", "--output", "m.h5"), ".tflite"),
        (("demo", "--seconds", "0"), "--seconds"),
    ],
)
def test_mistakes_are_one_line(shuffleseg, arguments, words):
    _assert_mistake(shuffleseg(*arguments), words)


def test_all_but_train_and_export_work_without_tensorflow(tiny_tflite, tmp_path):
    """In a Python where TensorFlow and Keras cannot be imported."""
    (tmp_path / "blocked").mkdir()
    for name in ("tensorflow", "keras"):
        (tmp_path / "blocked" / f"{name}.py").write_text("raise ImportError('blocked')")
    root = make_camvid(tmp_path / "data")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "blocked")}

    def run(*arguments):
        command = [sys.executable, "-m", "shuffleseg_core.cli", *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    images = root / "val" / "images"
    for arguments in (
        ("--help",),
        ("segment", images, "--output", tmp_path / "out", "--model", tiny_tflite),
        ("evaluate", tiny_tflite, "--root", root, "--split", "val"),
        ("summary", tiny_tflite),
        ("summary", "--architecture", "shufflenet_v2", "--head", "basic"),
        ("bag", images, tmp_path / "bag"),
    ):
        result = run(*arguments)
        assert result.returncode == 0, result.stderr
    for arguments in (
        ("train", "camvid_basic", "--root", root, "--output", tmp_path / "run"),
        ("export", tmp_path, "--output", tmp_path / "m.tflite"),
    ):
        result = run(*arguments)
        assert result.returncode == 2
        assert "train]" in result.stderr and "Traceback" not in result.stderr


@requires_camvid
def test_default_model_on_camvid(shuffleseg):
    """The model that ships keeps the score of its card."""
    from shuffleseg_core import default_model_path

    status, out, _ = shuffleseg(
        "evaluate", default_model_path(), "--dataset", "camvid", "--root", CAMVID,
        "--split", "val", "--json", "-",
    )  # fmt: skip
    assert status == 0
    card = json.loads(default_model_path().with_suffix(".val.json").read_text())
    assert json.loads(out)["miou"] == pytest.approx(card["miou"], abs=1e-3)
