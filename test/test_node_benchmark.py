"""`shuffleseg benchmark-node`: its arithmetic, and short runs; speed itself is not tested."""

import importlib.util
import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from shuffleseg_core.image_file import read_rgb
from shuffleseg_ros.node_benchmark_figures import SETTLING, Recording, figures, memory_figures
from shuffleseg_ros.process_health import Health

requires_ros = pytest.mark.skipif(
    importlib.util.find_spec("rclpy") is None, reason="ROS 2 (rclpy) is not installed"
)
COLUMNS = (
    *("stamp_s", "wait_ms", "convert_ms", "preprocess_ms", "inference_ms", "postprocess_ms"),
    *("publish_ms", "total_ms", "views_ms", "segment_ms", "node_ms", "latency_ms"),
)


def row(stamp, total, views, segment, node):
    values = dict.fromkeys(COLUMNS, 1.0)
    values |= {"stamp_s": stamp, "total_ms": total, "views_ms": views}
    values |= {"segment_ms": segment, "node_ms": node}
    return [values[column] for column in COLUMNS]


def made_up(phases=4, frames=40):
    """Phases of `frames` frames: labels only, with overlay, labels only, …"""
    recording = Recording(columns=COLUMNS)
    for phase in range(phases):
        overlay = phase % 2 == 1
        start = 100.0 + phase
        recording.changes.append((start - 0.001 if phase else 0.0, overlay))
        for number in range(frames):
            stamp = start + number / 100
            settling = number < SETTLING
            segment = 10.0 + number % 3  # each frame has its own
            recording.rows.append(
                row(
                    stamp,
                    total=999.0 if settling else 1.2 * segment,
                    views=999.0 if settling else 3.0 if overlay else 0.1,
                    segment=segment,
                    node=1.1 * segment,
                )
            )
            recording.arrivals[stamp] = 20.0
            if overlay and not settling:
                recording.overlays.add(stamp)
    recording.played = phases * frames + 10
    recording.dropped, recording.failed = 6, 1
    return recording


def test_overhead_is_each_frames_own_and_changes_of_subscribers_count_for_neither_side():
    found = figures(made_up())
    plain, with_overlay = found["labels_only"], found["labels_and_overlay"]
    assert plain["frames"] == with_overlay["frames"] == 2 * (40 - SETTLING)
    assert plain["overhead"] == pytest.approx(1.2)
    assert plain["overhead_without_wait"] == pytest.approx(1.1)
    assert plain["total_p50_ms"] == pytest.approx(13.2) and plain["total_p95_ms"] < 100
    assert plain["views_p50_ms"] == pytest.approx(0.1)
    assert plain["arrival_p50_ms"] == plain["arrival_p95_ms"] == 20.0
    assert found["overlay"]["views_p50_ms"] == pytest.approx(3.0)
    assert found["overlay"]["added_p50_ms"] == pytest.approx(2.9)
    assert found["frames"] == {
        "played": 170,
        "labelled": 160,
        "dropped": 6,
        "failed": 1,
        "lost": 3,
    }


def test_a_frame_counts_by_the_overlay_that_it_has():
    recording = made_up(phases=2)
    late = [r for r in recording.rows if r[0] >= 101.0][-5:]
    recording.overlays -= {r[0] for r in late}  # nobody got these
    early = recording.rows[SETTLING][0]
    recording.overlays.add(early)  # still from the last subscriber
    found = figures(recording)
    assert found["labels_only"]["frames"] == 40 - SETTLING - 1
    assert found["labels_and_overlay"]["frames"] == 40 - SETTLING - 5


def test_nothing_seen_gives_no_figures():
    found = figures(Recording(changes=[(0.0, False)]))
    assert found["labels_only"] is None and found["labels_and_overlay"] is None
    assert found["overlay"] == {"views_p50_ms": None, "added_p50_ms": None}
    assert found["memory"]["max_mb"] is None and found["machine_load"]["throttling"] is None
    assert figures(made_up(phases=1))["overlay"]["added_p50_ms"] is None


def test_memorys_growth_is_between_the_ends_after_the_warm_up():
    start = [(30 * second, 500.0 + second) for second in range(10)]  # not counted as growth
    settled = [
        (300 + 30 * second, 600.0 + (0.1 if second >= 190 else 0.0)) for second in range(200)
    ]
    settled[0] = (300, 900.0)  # one outlier does not make the median
    found = memory_figures(start + settled)
    assert found["samples"] == 200
    assert found["start_mb"] == 600.0 and found["growth_mb"] == pytest.approx(0.1)
    assert found["max_mb"] == 900.0
    assert memory_figures(start)["growth_mb"] is None and memory_figures(start)["max_mb"] == 509.0


def test_the_machines_load():
    def health(share, celsius, throttling):
        return Health(share, 4, 100.0, celsius, throttling, "policy0 capped at 1 of 2 MHz")

    recording = Recording(
        changes=[(0.0, False)],
        health=[health(None, 50.0, ""), health(1.5, 61.0, "throttled"), health(1.5, 60.0, "")],
    )
    assert figures(recording)["machine_load"] == {
        "cpu_share": 1.5,
        "cores": 4,
        "hottest": 61.0,
        "throttling": {"throttled": 1},
        "limits": "policy0 capped at 1 of 2 MHz",
    }


@requires_ros
def test_stamp_and_frame_id_from_the_bytes_of_an_image():
    from rclpy.serialization import serialize_message
    from sensor_msgs.msg import Image

    from shuffleseg_ros.node_benchmark import _stamp_and_frame_id

    message = Image(height=2, width=2, encoding="mono8", step=2, data=[1, 2, 3, 4])
    for frame_id in ("", "7", "camera"):
        message.header.frame_id = frame_id
        message.header.stamp.sec, message.header.stamp.nanosec = 1_700_000_000, 987654321
        found = _stamp_and_frame_id(serialize_message(message))
        assert found == (1_700_000_000 + 1e-9 * 987654321, frame_id)


@requires_ros
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8"])
def test_the_cameras_encodings_are_what_the_node_reads(street, encoding):
    from shuffleseg_ros.benchmark_camera import camera_message
    from shuffleseg_ros.image_conversion import to_rgb

    np.testing.assert_array_equal(to_rgb(camera_message(street, encoding)), street)


def command(*arguments):
    return [sys.executable, "-m", "shuffleseg_core.cli", "benchmark-node", *map(str, arguments)]


@requires_ros
def test_a_short_run_on_a_real_graph(tiny_tflite, tmp_path):
    pytest.importorskip("matplotlib")
    report, chart = tmp_path / "report.json", tmp_path / "chart.png"
    result = subprocess.run(
        command(
            *("--model", tiny_tflite, "--size", "160x90", "--frames", 30, "--rate", 10),
            *("--json", report, "--chart", chart),
        ),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(report.read_text())
    assert found["cpu"] and found["software"]["numpy"]
    assert (found["size"], found["encoding"], found["rate_hz"]) == ("160x90", "bgr8", 10)
    frames = found["frames"]
    assert frames["played"] == 30 and frames["labelled"] >= 10 and frames["failed"] == 0
    assert frames["labelled"] + frames["dropped"] + frames["lost"] == 30
    for side in ("labels_only", "labels_and_overlay"):
        assert found[side]["frames"] > 0
        assert 1 < found[side]["overhead_without_wait"] <= found[side]["overhead"]
        assert 0 < found[side]["arrival_p50_ms"] <= found[side]["arrival_p95_ms"]
    assert found["overlay"]["views_p50_ms"] > found["labels_only"]["views_p50_ms"]
    assert found["bare_segmenter"]["frames"] == 60
    assert found["memory"]["max_mb"] > 10 and found["memory"]["growth_mb"] is None
    assert "frames: 30 played" in result.stdout and "overhead with labels only" in result.stdout
    assert read_rgb(chart).std() > 0


@requires_ros
def test_several_cameras_against_one(tiny_tflite, tmp_path):
    report = tmp_path / "report.json"
    result = subprocess.run(
        command(
            *("--model", tiny_tflite, "--size", "160x90", "--rate", 20, "--cameras", 2),
            *("--seconds", 1, "--json", report),
        ),
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(report.read_text())
    assert found["cameras"] == len(found["of_each"]) == 2 and all(found["of_each"])
    assert found["ratio"] == pytest.approx(found["several_cameras"] / found["one_camera"])


@requires_ros
def test_ctrl_c_leaves_what_there_is(tiny_tflite, tmp_path):
    from ros_graph import TIMEOUT, Graph

    graph = Graph()
    labels = graph.inbox("segmentation/labels")
    report = tmp_path / "report.json"
    with subprocess.Popen(
        command(
            *("--model", tiny_tflite, "--size", "160x90", "--frames", 3000, "--json", report),
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert len(labels.wait_for_count(30, 3 * TIMEOUT)) >= 30
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=3 * TIMEOUT)
        finally:
            process.kill()
            graph.close()
    assert process.returncode == 130 and "Traceback" not in error, error
    frames = json.loads(report.read_text())["frames"]
    assert 0 < frames["labelled"] <= frames["played"] < 3000


@requires_ros
@pytest.mark.parametrize(
    "arguments, words",
    [
        (("--frames", 0), "--frames"),
        (("--rate", 0), "--rate"),
        (("--encoding", "jpeg"), "--encoding 'jpeg': give one of rgb8, bgr8"),
        (("--size", "wide"), "size 'wide'"),
        (("--threads", 0), "num_threads"),
        (("--model", "/nothing.tflite"), "/nothing.tflite"),
        (("--drive", "/nothing/here"), "/nothing/here"),
        (("--size", "8x8"), "or give --drive"),
        (("--chart", "chart.pdf"), "must end in .png"),
    ],
)
def test_mistakes_are_one_line(shuffleseg, arguments, words):
    status, out, error = shuffleseg("benchmark-node", *arguments)
    assert status == 2 and out == ""
    line = [line for line in error.splitlines() if not line.startswith("INFO:")]
    assert len(line) == 1 and words in line[0]
