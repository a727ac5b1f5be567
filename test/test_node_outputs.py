"""What the node publishes beside labels, and what parameters make of them, on a real ROS graph."""

# ruff: noqa: E402, F401, F811  (imports follow the skip; `graph` is a fixture)

import json

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy): pip install .[ros]")

import cv2
import numpy as np
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Float64MultiArray, String
from test_segmentation_node import camera, frame, ids, node

from ros_graph import RosProcess, graph, wait_until
from shuffleseg_core.image_file import write_png
from shuffleseg_core.segmenter import Segmenter
from shuffleseg_ros.image_conversion import to_rgb

NODE = "/segmentation"
UNLABELLED = 255


@pytest.fixture
def set_parameters(graph, node):
    """Sets parameters for the duration of a test."""
    plain = {"roi": "", "ego_mask": "", "output_size": "camera", "remap": [""]}
    plain["probability_classes"] = [""]
    used = set()

    def set_(**values):
        used.update(values)
        assert graph.set_parameters(NODE, **values) == [""] * len(values)

    yield set_
    if used:
        assert not any(graph.set_parameters(NODE, **{name: plain[name] for name in used}))


@pytest.fixture(scope="module")
def segmenter(tiny_tflite):
    return Segmenter(tiny_tflite, num_threads=1)


def row(message):
    """{name: number} of a row of named numbers."""
    (dimension,) = message.layout.dim
    names = dimension.label.split(",")
    assert len(names) == len(message.data) == dimension.size
    return dict(zip(names, message.data))


def numbers(camera, graph, topic, sent):
    """The row that belongs to a frame."""
    inbox = graph.inbox(topic, Float64MultiArray)
    for _ in range(40):
        camera.label(sent)
        found = inbox.wait_for(lambda m: int(m.data[0]) == sent.header.stamp.sec, timeout=0.3)
        if found is not None:
            inbox.close()
            return row(found)
    raise AssertionError(f"nothing on {topic}")


@pytest.mark.parametrize("size, expected", [("network", (64, 48)), ("30x20", (30, 20))])
def test_output_size(camera, segmenter, set_parameters, size, expected):
    set_parameters(output_size=size)
    sent = frame()
    labels = camera.label(sent)
    assert (labels.width, labels.height) == expected
    assert np.array_equal(ids(labels), segmenter.segment(to_rgb(sent), size=expected))


def test_region_of_interest_and_ego_vehicle(camera, graph, segmenter, set_parameters, tmp_path):
    sent = frame()
    rgb = to_rgb(sent)
    set_parameters(roi="20,10,60,50")
    expected = np.full((90, 120), UNLABELLED, np.uint8)
    expected[10:60, 20:80] = segmenter.segment(np.ascontiguousarray(rgb[10:60, 20:80]))
    assert np.array_equal(ids(camera.label(sent)), expected)

    vehicle = np.zeros((45, 60), np.uint8)
    vehicle[20:] = 7
    write_png(tmp_path / "ego.png", vehicle)
    set_parameters(ego_mask=str(tmp_path / "ego.png"))
    expected[40:] = UNLABELLED
    assert np.array_equal(ids(camera.label(sent)), expected)

    overlays = graph.inbox("/segmentation/overlay")
    over = to_rgb(camera.label(sent, overlays))
    assert np.array_equal(over[expected == UNLABELLED], rgb[expected == UNLABELLED])
    assert not np.array_equal(over[10:40, 20:80], rgb[10:40, 20:80])
    overlays.close()

    set_parameters(output_size="network")
    assert np.count_nonzero(ids(camera.label(sent)) != UNLABELLED) > 0
    set_parameters(output_size="camera", roi="115,85,60,50")  # over the border: what there is
    set_parameters(ego_mask="")
    labels = ids(camera.label(sent))
    assert (labels[85:, 115:] != UNLABELLED).all()
    assert np.count_nonzero(labels != UNLABELLED) == 25
    set_parameters(roi="500,500,60,50")
    camera.status(lambda s: "roi 500,500,60,50 lies outside" in s.message, keep_sending=sent)


def test_classes_can_be_chosen_and_joined(camera, graph, segmenter, set_parameters):
    sent = frame(seed=3)
    old = segmenter.segment(to_rgb(sent))
    names = segmenter.label_map.names
    present = [names[i] for i in np.unique(old)]
    assert len(present) > 1
    info = graph.inbox("/segmentation/label_info/json", String, latched=True)
    assert info.wait_for(lambda _: True)
    (one,) = info.messages()
    told = json.loads(one.data)
    assert [c["name"] for c in told["classes"]] == list(names)
    assert [tuple(c["color"]) for c in told["classes"]] == list(segmenter.label_map.colors)
    assert told["unlabelled_id"] == UNLABELLED and told["model"] == segmenter.model_path.name

    set_parameters(remap=[f"first={present[0]}", "other=*"])
    expected = (old != names.index(present[0])).astype(np.uint8)
    assert np.array_equal(ids(camera.label(sent)), expected)
    latest = info.wait_for(lambda m: "first" in m.data)
    assert [c["name"] for c in json.loads(latest.data)["classes"]] == ["first", "other"]
    info.close()

    set_parameters(remap=[present[1]])
    expected = np.where(old == names.index(present[1]), 0, UNLABELLED)
    assert np.array_equal(ids(camera.label(sent)), expected)
    shares = numbers(camera, graph, "/segmentation/pixel_shares", sent)
    del shares["stamp_s"]
    assert shares == {present[1]: 1.0}


def test_pixel_shares(camera, graph, node, segmenter):
    sent = frame(seed=3)
    shares = numbers(camera, graph, "/segmentation/pixel_shares", sent)
    assert int(shares.pop("stamp_s")) == sent.header.stamp.sec
    labels = segmenter.segment(to_rgb(sent))
    expected = np.bincount(labels.ravel(), minlength=11) / labels.size
    assert list(shares) == list(segmenter.label_map.names)
    assert np.allclose(list(shares.values()), expected)


def test_timing_of_each_frame(camera, graph, node):
    timing = numbers(camera, graph, "/segmentation/timing", frame())
    for stage in ("wait", "convert", "preprocess", "inference", "postprocess", "publish", "views"):
        assert timing[f"{stage}_ms"] >= 0
    assert timing["segment_ms"] >= timing["inference_ms"] > 0
    assert timing["total_ms"] >= timing["node_ms"] >= timing["segment_ms"]
    assert "latency_ms" in timing


def test_confidence_and_probability(camera, graph, segmenter, set_parameters):
    sent = frame(seed=3)
    labels = segmenter.segment(to_rgb(sent))
    confidence = segmenter.confidence((120, 90))
    inbox = graph.inbox("/segmentation/confidence")
    got = camera.label(sent, inbox)
    assert got.encoding == "mono8" and np.array_equal(ids(got), confidence)
    inbox.close()

    names = segmenter.label_map.names
    first, second = (names[i] for i in np.unique(labels)[:2])
    set_parameters(remap=[f"both parts={first},{second}", "other=*"])
    set_parameters(probability_classes=["both parts", "other"])
    inboxes = [graph.inbox(f"/segmentation/probability/{n}") for n in ("both_parts", "other")]
    both, other = (ids(camera.label(sent, inbox)).astype(int) for inbox in inboxes)
    assert np.abs(both + other - 255).max() <= 1
    for inbox in inboxes:
        inbox.close()
    set_parameters(roi="20,10,60,50")
    inbox = graph.inbox("/segmentation/probability/other")
    part = ids(camera.label(sent, inbox))
    assert part[:10].max() == 0 and part[10:60, 20:80].max() > 0
    inbox.close()
    set_parameters(probability_classes=[""])
    wait_until(lambda: graph.node.count_publishers("/segmentation/probability/other") == 0)


def test_camera_info_is_passed_on_at_the_outputs_size(camera, graph, set_parameters):
    publisher = graph.publisher("camera_info", CameraInfo)
    inbox = graph.inbox("/segmentation/camera_info", CameraInfo)
    wait_until(lambda: publisher.get_subscription_count() > 0)
    info = CameraInfo(width=120, height=90, distortion_model="plumb_bob", d=[0.1] * 5)
    info.k = [100.0, 0.0, 60.0, 0.0, 100.0, 45.0, 0.0, 0.0, 1.0]
    info.p = [100.0, 0.0, 60.0, 0.0, 0.0, 100.0, 45.0, 0.0, 0.0, 0.0, 1.0, 0.0]

    def of(sent):
        for _ in range(40):
            publisher.publish(info)
            camera.label(sent)
            found = inbox.wait_for(lambda m: m.header.stamp == sent.header.stamp, timeout=0.3)
            if found is not None:
                return found
        raise AssertionError("no CameraInfo")

    sent = frame(frame_id="front_optical")
    same = of(sent)
    assert same.header == sent.header
    assert (same.width, same.height) == (120, 90) and list(same.k) == list(info.k)
    set_parameters(output_size="60x30")
    half = of(sent)
    assert (half.width, half.height) == (60, 30)
    assert half.k[0] == pytest.approx(50.0) and half.k[4] == pytest.approx(100 / 3)
    assert list(half.d) == list(info.d)
    graph.node.destroy_publisher(publisher)
    inbox.close()


def test_nothing_is_labelled_that_nobody_wants(camera, graph, node):
    camera.labels.close()
    try:
        status = camera.status(
            lambda s: s.message.startswith("idle: nobody subscribes"), keep_sending=frame()
        )
        assert status.level == b"\x00"
    finally:
        camera.labels = graph.inbox("/segmentation/labels")
    camera.label(frame())
