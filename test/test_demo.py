"""The demo as `make demo` runs it, in a real ROS graph."""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from shuffleseg_core.errors import UserError
from shuffleseg_core.label_map import LabelMap
from tiny_camvid import make_camvid

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("rclpy") is None, reason="ROS 2 (rclpy) is not installed"
)


def _command(*arguments):
    return [sys.executable, "-m", "shuffleseg_core.cli", "demo", *map(str, arguments)]


def _demo(*arguments):
    return subprocess.run(_command(*arguments), capture_output=True, text=True, timeout=120)


def test_drive_with_truth_leaves_pictures_and_figures(tiny_tflite, tmp_path):
    images = make_camvid(tmp_path / "data", val=5) / "val" / "images"
    out = tmp_path / "out"
    result = _demo(
        "--drive", images, "--output", out, "--model", tiny_tflite, "--seconds", 4, "--rate", 10
    )
    assert result.returncode == 0, result.stderr
    summary = json.loads((out / "summary.json").read_text())
    for key in ("latency_ms", "rss_mb", "first_label_s", "miou"):
        assert summary[key] is not None, key
    assert summary["overhead_ratio"] > 1 and summary["overhead_ratio_without_wait"] > 1
    assert summary["latency_ms"]["p50"] <= summary["latency_ms"]["p95"]
    assert 1 <= summary["frames_labelled"] <= summary["frames_played"]
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


def _children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _runs(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # a zombie waits for an init that may never look


def _wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)


@pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="needs /proc to see a process's children"
)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("labelling", [False, True])
def test_it_can_be_ended_at_any_time(tiny_tflite, tmp_path, how, labelling):
    process = subprocess.Popen(
        [*_command("--output", tmp_path, "--model", tiny_tflite, "--seconds", 600)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    _wait_until(lambda: len(_children(process.pid)) == 2)
    children = _children(process.pid)
    if labelling:
        assert "first label" in process.stdout.readline()
    process.send_signal(how)
    try:
        _, errors = process.communicate(timeout=60)
        _wait_until(lambda: not any(map(_runs, children)))
    finally:  # one that goes on would spoil the tests after it
        process.kill()
        for pid in filter(_runs, children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    if how == signal.SIGKILL:
        return
    assert process.returncode == 130, errors
    assert "shuffleseg demo: interrupted" in errors and "Traceback" not in errors
    assert (tmp_path / "summary.json").exists() is labelling


def _pair(truth=None):
    labels = np.full((36, 64), 3, np.uint8)
    return np.zeros((36, 64, 3), np.uint8), labels, truth


def test_a_frame_without_truth_is_black_in_the_sheet(tmp_path):
    pictures = pytest.importorskip("shuffleseg_ros.demo.pictures")
    label_map = LabelMap.named("camvid")
    gallery = pictures.Gallery(tmp_path / "video.mp4", label_map, 10.0)
    gallery.add(*_pair(np.zeros((36, 64), np.uint8)))
    gallery.add(*_pair())
    gallery.close()
    gallery.contact_sheet(tmp_path / "sheet.png", "title")
    sheet = cv2.cvtColor(cv2.imread(str(tmp_path / "sheet.png")), cv2.COLOR_BGR2RGB)
    rows, height = 2, 225  # of 400 x 225 pixels, below two captions
    truths = sheet[48 : 48 + rows * height, 1200:].reshape(rows, height, 400, 3)
    assert (truths[0] == label_map.colors[0]).all() and (truths[1] == 0).all()


def test_a_fault_among_the_pictures_is_told_and_blocks_nobody(tmp_path):
    pictures = pytest.importorskip("shuffleseg_ros.demo.pictures")
    gallery = pictures.Gallery(tmp_path / "video.mp4", LabelMap.named("camvid"), 10.0)
    for _ in range(100):  # more than wait for it
        gallery.add("no", "picture", None)
    with pytest.raises(AttributeError):
        gallery.close()


def test_no_video_is_no_fault(tmp_path):
    pictures = pytest.importorskip("shuffleseg_ros.demo.pictures")
    gallery = pictures.Gallery(tmp_path / "none" / "video.mp4", LabelMap.named("camvid"), 10.0)
    gallery.add(*_pair())
    gallery.close()
    assert not gallery.has_video


def test_a_histogram_that_cannot_be_written_is_a_users_mistake(tmp_path):
    pytest.importorskip("matplotlib")
    pictures = pytest.importorskip("shuffleseg_ros.demo.pictures")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="latency.png: cannot be written"):
        pictures.latency_histogram(tmp_path / "file" / "latency.png", np.ones(3), "title")
    (tmp_path / "latency.png").mkdir()
    with pytest.raises(UserError, match="latency.png: cannot be written"):
        pictures.latency_histogram(tmp_path / "latency.png", np.ones(3), "title")


def test_truth_of_other_classes_is_not_scored(tiny_tflite, tmp_path):
    images = make_camvid(tmp_path / "data", val=2) / "val" / "images"
    for path in (images.parent / "labels").glob("*.png"):
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), np.full_like(labels, 18))  # Cityscapes' bicycle
    out = tmp_path / "out"
    result = _demo("--drive", images, "--output", out, "--model", tiny_tflite, "--seconds", 1)
    assert result.returncode == 0, result.stderr
    assert "ground truth left out" in result.stdout
    assert json.loads((out / "summary.json").read_text())["miou"] is None
    assert cv2.imread(str(out / "contact_sheet.png")).shape[1] == 3 * 400
