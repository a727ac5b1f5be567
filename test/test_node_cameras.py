"""Several cameras in one process, on a real ROS graph."""

# ruff: noqa: E402, F401, F811  (imports follow the skip; `graph` is a fixture)

import collections
import threading

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy): pip install .[ros]")

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from test_segmentation_node import MODULE, frame, ids

from ros_graph import TIMEOUT, RosProcess, graph, wait_until
from shuffleseg_core.segmenter import Segmenter
from shuffleseg_ros.image_conversion import to_rgb

CAMERAS = ("front", "left", "rear")


@pytest.fixture(scope="module")
def node(graph, tiny_tflite):
    parameters = {
        "model": str(tiny_tflite),
        "num_threads": 1,
        "cameras": list(CAMERAS),
        "diagnostics_period": 0.1,
        "diagnostics_window": 1.0,
        "roi": "0,0,60,45",
        "left.roi": "",
        "rear.output_size": "network",
        "rear.roi": "",
    }
    with RosProcess(MODULE, parameters) as process:
        process.wait_for_line("labelling /front/image, /left/image, /rear/image with")
        yield process
        process.stop()


class Cameras:
    def __init__(self, graph):
        self.graph = graph
        self.publishers = {name: graph.publisher(f"{name}/image") for name in CAMERAS}
        self.labels = {name: graph.inbox(f"/segmentation/{name}/labels") for name in CAMERAS}
        self.diagnostics = graph.inbox("/diagnostics", DiagnosticArray)

    def label(self, name, message):
        self.graph.stamp(message)
        for _ in range(40):
            self.publishers[name].publish(message)
            answer = self.labels[name].wait_for(
                lambda m: m.header.stamp == message.header.stamp, timeout=0.5
            )
            if answer is not None:
                return answer
        raise AssertionError("the frame was not labelled")

    def statuses(self, accept):
        """{task: status} of the first message from now on that accept(those) takes."""

        def by_task(message):
            return {status.name.partition(": ")[2]: status for status in message.status}

        self.diagnostics.clear()
        found = self.diagnostics.wait_for(lambda m: accept(by_task(m)))
        assert found is not None
        return by_task(found)


@pytest.fixture(scope="module")
def cameras(graph, node):
    return Cameras(graph)


def test_each_camera_has_its_topics_and_its_parameters(node, cameras, graph, tiny_tflite):
    segmenter = Segmenter(tiny_tflite, num_threads=1)
    sent = frame(frame_id="somewhere")
    whole = segmenter.segment(to_rgb(sent))
    left = cameras.label("left", sent)
    assert np.array_equal(ids(left), whole) and left.header == sent.header
    front = ids(cameras.label("front", sent))
    assert (front[45:] == 255).all() and (front[:45, :60] != 255).all()
    rear = cameras.label("rear", sent)
    assert (rear.width, rear.height) == (64, 48)
    assert np.array_equal(ids(rear), segmenter.segment(to_rgb(sent), size=(64, 48)))

    assert graph.set_parameters("/segmentation", left__roi="0,0,10,10") == [""]
    assert np.count_nonzero(ids(cameras.label("left", sent)) != 255) == 100
    assert np.array_equal(ids(cameras.label("front", sent)), front)
    assert graph.set_parameters("/segmentation", left__roi="") == [""]
    (reason,) = graph.set_parameters("/segmentation", roi="")
    assert "set front.roi" in reason


def test_each_camera_has_its_diagnostics(node, cameras):
    statuses = cameras.statuses(lambda by_task: True)
    assert set(statuses) == {"process", *(f"{name} inference" for name in CAMERAS)}
    stop = threading.Event()

    def send():
        while not stop.wait(0.02):
            cameras.publishers["left"].publish(cameras.graph.stamp(frame()))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        cameras.statuses(
            lambda s: (
                (s["left inference"].level == b"\x00")
                and (s["rear inference"].message.startswith("no frame on /rear/image"))
            )
        )
    finally:
        stop.set()
        sender.join()


def test_more_frames_than_can_be_served_are_shared_out_fairly_and_fresh(node, cameras):
    """At twice the rate that the node serves, what is published is not older than two frames."""
    for name in CAMERAS:
        cameras.label(name, frame(480, 640))
        cameras.labels[name].clear()
    # One more frame a camera for every one and a half that are labelled: twice what can be served.
    sent = {name: 0 for name in CAMERAS}
    behind, labelled = [], collections.Counter()
    order = [name for name in CAMERAS for _ in range(2)]
    messages = {name: frame(480, 640, seed=i) for i, name in enumerate(CAMERAS)}

    def send(name):
        sent[name] += 1
        messages[name].header.stamp.sec = sent[name]
        cameras.publishers[name].publish(messages[name])

    for name in CAMERAS:
        send(name)
    turn = 0
    while sum(labelled.values()) < 300:
        before = sum(labelled.values())
        for _ in range(2):
            send(order[turn % 3 * 2])
            turn += 1
        wait_until(lambda b=before: sum(map(count, cameras.labels.values())) > b)
        for name in CAMERAS:
            for message in cameras.labels[name].messages()[labelled[name] :]:
                labelled[name] += 1
                behind.append(sent[name] - message.header.stamp.sec)
    assert max(labelled.values()) - min(labelled.values()) <= 0.1 * sum(labelled.values())
    assert np.percentile(behind, 95) <= 2


def count(inbox):
    return len(inbox.messages())
