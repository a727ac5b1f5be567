"""What goes wrong on a robot, on a real ROS graph: the node lives on and labels good frames."""

# ruff: noqa: E402, F401, F811  (imports follow the skip; `graph` is a fixture)

import array
import os
import shutil
import signal
import subprocess
import sys
import threading

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy): pip install .[ros]")

import numpy as np
import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from test_segmentation_node import MODULE, Camera, camera, frame, ids, values

from ros_graph import Graph, RosProcess, image_message, wait_until
from shuffleseg_core.segmenter import Segmenter
from shuffleseg_ros.image_conversion import to_rgb

OK, STALE = b"\x00", b"\x03"
PLAYER = "shuffleseg_ros.drive_player"


@pytest.fixture(scope="module")
def graph():
    """In a domain of its own: what is killed here stays in the ROS graph for a while."""
    domain = os.environ["ROS_DOMAIN_ID"]
    os.environ["ROS_DOMAIN_ID"] = str(1 + (int(domain) + 49) % 100)
    graph = Graph()
    yield graph
    graph.close()
    os.environ["ROS_DOMAIN_ID"] = domain


@pytest.fixture
def start(tiny_tflite):
    """Starts a node with more parameters and arguments."""
    started = []

    def start(arguments=(), **parameters):
        values = {"model": str(tiny_tflite), "num_threads": 1, "diagnostics_period": 0.1}
        values |= {"diagnostics_window": 1.0, "stale_timeout": 1.0, **parameters}
        process = RosProcess(MODULE, values, arguments)
        started.append(process)
        process.wait_for_line("labelling /image")
        return process

    yield start
    for process in started:
        with process:
            assert process.stop() == 0
            assert not any("Traceback" in line for line in process.lines)


ENCODINGS = (
    *("rgb8", "bgr8", "rgba8", "bgra8", "mono8", "mono16", "yuv422", "yuv422_yuy2", "8UC3"),
    *("bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8", "rgb16", "32FC1", "klingon", ""),
)


def malformed(random):
    """An Image that is none, in one of many ways."""
    encoding = str(random.choice(ENCODINGS))
    width, height = (int(n) for n in random.integers(1, 40, 2))
    step = width * 4
    size = height * step
    kind = random.integers(7)
    if kind == 0:
        width = height = 0
    elif kind == 1:
        size = int(random.integers(0, size))
    elif kind == 2:
        step = int(random.integers(0, max(width // 2, 1)))
    elif kind == 3:
        encoding = "".join(chr(c) for c in random.integers(33, 126, 9))
    elif kind == 4:
        width, height = (int(n) for n in random.integers(2**20, 2**32, 2))
    elif kind == 5:
        step = int(random.integers(2**28, 2**32))
    else:
        height, size = 2**31, 0
    message = Image(width=width, height=height, step=step, encoding=encoding)
    message.is_bigendian = int(random.integers(256))
    message.data = array.array("B", random.bytes(size))
    return message


def malformed_compressed(random):
    formats = ("jpeg", "png", "rgb8; jpeg compressed bgr8", "16UC1; compressedDepth", "", "klingon")
    heads = (b"", b"\xff\xd8\xff\xe0\x00\x10JFIF", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
    data = heads[random.integers(3)] + random.bytes(int(random.integers(0, 200)))
    return CompressedImage(format=str(random.choice(formats)), data=array.array("B", data))


def good_compressed():
    import cv2

    ok, data = cv2.imencode(".png", np.full((24, 32, 3), 90, np.uint8))
    assert ok
    return CompressedImage(format="png", data=array.array("B", data.tobytes()))


@pytest.mark.parametrize(
    "transport, topic, message_type, bad, good",
    [
        ("raw", "image", Image, malformed, lambda: frame(24, 32)),
        ("compressed", "image/compressed", CompressedImage, malformed_compressed, good_compressed),
    ],
)
def test_a_thousand_malformed_messages(graph, start, transport, topic, message_type, bad, good):
    camera = Camera(graph)
    graph.node.destroy_publisher(camera.publisher)
    camera.publisher = graph.publisher(topic, message_type)
    start(image_transport=transport)
    camera.label(good())
    random = np.random.default_rng(0)
    failed = rounds = 0
    while failed < 1000:  # some are displaced by the good one behind them
        rounds += 1
        assert rounds <= 20
        for _ in range(250):
            camera.publisher.publish(graph.stamp(bad(random)))
            camera.label(good())
        told = values(camera.status(lambda _: True))
        failed = int(told["frames failed"])
    assert int(told["frames labelled"]) >= 250 * rounds
    assert sum(key.startswith("frames failed: ") for key in told) >= 2
    camera.status(lambda s: s.level == OK, keep_sending=good())
    camera.close()


def test_a_clash_of_quality_of_service_is_told_with_both_names(graph, camera, start):
    process = start(image_reliability="reliable")
    careless = graph.publisher("image", reliability=ReliabilityPolicy.BEST_EFFORT)
    process.wait_for_line(r"\[WARN\].*/image.*test_probe")
    latecomer = graph.node.create_subscription(
        Image,
        "/segmentation/labels",
        lambda _: None,
        QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL),
    )
    process.wait_for_line(r"\[WARN\].*/segmentation/labels.*test_probe")
    graph.node.destroy_publisher(careless)
    graph.node.destroy_subscription(latecomer)
    camera.label(frame())


def test_a_clock_that_jumps_back(graph, camera, start):
    start(use_sim_time=True, deadline_ms=1000.0)
    clock = graph.publisher("/clock", Clock)
    wait_until(lambda: clock.get_subscription_count() > 0)
    random = np.random.default_rng(0)
    for start_s in (1000, 5, 2000, 1, 1):
        for i in range(10):
            now = Clock()
            now.clock.sec = start_s + i
            clock.publish(now)
            sent = frame(seed=int(random.integers(100)))
            sent.header.stamp.sec = start_s + i
            sent.header.stamp.nanosec = int(random.integers(10**9))

            def arrived(sent=sent):
                camera.publisher.publish(sent)
                return camera.labels.wait_for(lambda m: m.header.stamp == sent.header.stamp, 0.5)

            wait_until(arrived)
        told = camera.status(lambda s: s.level == OK, keep_sending=frame())
        assert int(values(told)["frames failed"]) == 0
    graph.node.destroy_publisher(clock)


def test_a_camera_that_changes_size_and_encoding(graph, camera, start, tiny_tflite):
    process = start()
    segmenter = Segmenter(tiny_tflite, num_threads=1)
    views = [graph.inbox(f"/segmentation/{name}") for name in ("overlay", "color", "confidence")]
    random = np.random.default_rng(1)
    for encoding in ("bgr8", "mono8", "rgba8", "rgb8", "bgra8") * 6:
        height, width = (int(n) for n in random.integers(1, 300, 2))
        sent = frame(height, width, encoding=encoding, padding=int(random.integers(4)))
        assert np.array_equal(ids(camera.label(sent)), segmenter.segment(to_rgb(sent)))
    process.wait_for_line("WARN.*camera changed from")
    assert process.errors() == []
    for view in views:
        assert view.messages()
        view.close()


@pytest.mark.parametrize("what", ["truncate", "replace", "remove"])
def test_the_models_file_goes_while_the_node_runs(
    graph, camera, start, tmp_path, tiny_tflite, what
):
    model = tmp_path / "model.tflite"
    shutil.copy(tiny_tflite, model)
    start(model=str(model))
    sent = frame(seed=2)
    before = ids(camera.label(sent)).copy()
    if what == "truncate":
        with open(model, "r+b") as file:
            file.truncate(100)
    elif what == "replace":
        other = tmp_path / "other"
        other.write_text("no model")
        os.replace(other, model)
    else:
        model.unlink()
    for _ in range(20):
        assert np.array_equal(ids(camera.label(sent)), before)
    # Its thread count needs the file again: refused with the reason, and the old model labels on.
    (reason,) = graph.set_parameters("/segmentation", num_threads=2)
    assert "model.tflite" in reason
    assert np.array_equal(ids(camera.label(sent)), before)
    shutil.copy(tiny_tflite, model)
    assert graph.set_parameters("/segmentation", num_threads=2) == [""]
    assert np.array_equal(ids(camera.label(sent)), before)


class Deaf:
    """A subscriber in a process of its own that is stopped, so that it never reads."""

    PROGRAM = """
import sys, rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node("deaf")
qos = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
node.create_subscription(Image, "/segmentation/labels", print, qos)
print("there", flush=True)
sys.stdin.read()
"""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout.readline() == b"there\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.mark.parametrize("stopped", [False, True])
def test_a_subscriber_that_never_reads_holds_nobody_up(graph, camera, start, stopped):
    start()
    sent = frame(480, 640)
    camera.label(sent)
    count = graph.node.count_subscribers("/segmentation/labels")
    with Deaf() as deaf:
        wait_until(lambda: graph.node.count_subscribers("/segmentation/labels") > count)
        camera.label(sent)
        if stopped:
            deaf.process.send_signal(signal.SIGSTOP)
        for _ in range(30):
            camera.label(sent)
        resident = float(
            values(camera.status(lambda _: True, task="process"))["resident memory (MB)"]
        )
        for _ in range(200):
            camera.label(sent)
        now = values(camera.status(lambda _: True, task="process"))
        assert float(now["resident memory (MB)"]) < resident + 20


def test_a_player_is_killed_and_comes_back(graph, camera, start):
    start()
    drive = {"rate": 30.0, "width": 64, "height": 48, "loop": True}
    for _ in range(2):
        with RosProcess(PLAYER, drive):
            camera.status(lambda s: s.level == OK)
            camera.labels.clear()
            assert camera.labels.wait_for_count(5)
        camera.status(lambda s: s.level == STALE)


def test_a_node_killed_outright_labels_again_once_it_is_back(graph, camera, tiny_tflite):
    """As under respawn; test_launch_files has that under the real launch system."""
    for _ in range(2):
        with RosProcess(MODULE, {"model": str(tiny_tflite)}) as process:
            camera.label(frame())
            process.stop(signal.SIGKILL)
