"""The demo as `make demo` runs it, in a real ROS graph."""

import importlib.util
import json
import subprocess
import sys

import cv2
import pytest

from tiny_camvid import make_camvid

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("rclpy") is None, reason="ROS 2 (rclpy) is not installed"
)


def _demo(*arguments):
    command = [sys.executable, "-m", "shuffleseg_core.cli", "demo", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_drive_with_truth_leaves_pictures_and_figures(tiny_tflite, tmp_path):
    images = make_camvid(tmp_path / "data", val=5) / "val" / "images"
    out = tmp_path / "out"
    result = _demo(
        "--drive", images, "--output", out, "--model", tiny_tflite, "--seconds", 4, "--rate", 10
    )
    assert result.returncode == 0, result.stderr
    summary = json.loads((out / "summary.json").read_text())
    for key in ("latency_ms", "overhead_ratio", "rss_mb", "first_label_s", "miou"):
        assert summary[key] is not None, key
    assert summary["latency_ms"]["p50"] <= summary["latency_ms"]["p95"]
    # Five frames at 10 Hz for 4 s: looped, and none but the first few unlabelled.
    assert 20 <= summary["frames_labelled"] <= summary["frames_played"]
    assert 0 <= summary["miou"] <= 1
    sheet = cv2.imread(str(out / "contact_sheet.png"))
    assert sheet.shape[1] == 4 * 400  # camera, mask, overlay, ground truth
    assert cv2.imread(str(out / "latency.png")) is not None
    video = cv2.VideoCapture(str(out / "video.mp4"))
    assert video.read()[0]
    assert sum("fps" in line for line in result.stdout.splitlines()) == 4


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("--drive", "/nothing/here"), "/nothing/here"),
        (("--model", "/nothing.tflite"), "/nothing.tflite"),
    ],
)
def test_what_cannot_be_played_is_one_line(tmp_path, tiny_tflite, arguments, words):
    if "--model" not in arguments:
        arguments = (*arguments, "--model", tiny_tflite)
    result = _demo("--output", tmp_path / "out", "--seconds", 2, *arguments)
    assert result.returncode == 2
    lines = [line for line in result.stderr.splitlines() if "XNNPACK" not in line]
    assert len(lines) == 1 and words in lines[0], result.stderr
