"""The segmentation node on a real ROS graph, and the parts that it is made of."""

# ruff: noqa: E402, F401, F811  (imports follow the skip; `graph` is a fixture)

import array
import re
import signal
import sys
import threading
import time
import types

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy): pip install .[ros]")

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters
from rclpy.parameter import Parameter as OwnParameter
from rclpy.qos import QoSProfile, ReliabilityPolicy

from ros_graph import TIMEOUT, RosProcess, graph, image_message, wait_until
from shuffleseg_core.colorize import colorize, overlay
from shuffleseg_core.segmenter import Segmenter
from shuffleseg_ros import camera_outputs, segmentation_node
from shuffleseg_ros.image_conversion import to_rgb
from shuffleseg_ros.image_subscription import ImageSubscription

MODULE = "shuffleseg_ros.segmentation_node"
OK, WARN, ERROR, STALE = b"\x00", b"\x01", b"\x02", b"\x03"
CHANNELS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1}


class Camera:
    """Publishes to the node under test and waits for what it makes of that."""

    def __init__(self, graph):
        self.graph = graph
        self.publisher = graph.publisher("image")
        self.labels = graph.inbox("/segmentation/labels")
        self.diagnostics = graph.inbox("/diagnostics", DiagnosticArray)

    def close(self):
        """Others count who subscribes."""
        self.labels.close()
        self.diagnostics.close()
        self.graph.node.destroy_publisher(self.publisher)

    def label(self, message, inbox=None):
        """The answer to a frame, which is sent again while connections are being made."""
        inbox = inbox or self.labels
        self.graph.stamp(message)
        for _ in range(40):
            self.publisher.publish(message)
            answer = inbox.wait_for(lambda m: m.header.stamp == message.header.stamp, timeout=0.5)
            if answer is not None:
                return answer
        raise AssertionError("the frame was not labelled")

    def status(self, accept, keep_sending=None, task="inference"):
        """The first status from now on that accept(status) takes."""
        self.diagnostics.clear()
        for _ in range(200):
            if keep_sending is not None:
                self.publisher.publish(self.graph.stamp(keep_sending))
            found = self.diagnostics.wait_for(
                lambda m: any(map(accept, of_task(m, task))), timeout=0.1
            )
            if found is not None:
                return next(filter(accept, of_task(found, task)))
        seen = [(s.level, s.message) for m in self.diagnostics.messages() for s in of_task(m, task)]
        raise AssertionError(f"no such status; last: {seen[-3:]}")


def of_task(message, task):
    return [status for status in message.status if status.name == f"segmentation: {task}"]


@pytest.fixture(scope="module")
def camera(graph):
    camera = Camera(graph)
    yield camera
    camera.close()


@pytest.fixture(scope="module")
def node(camera, tiny_tflite):
    parameters = {
        "model": str(tiny_tflite),
        "num_threads": 1,
        "diagnostics_period": 0.1,
        "diagnostics_window": 1.0,
        "stale_timeout": 1.0,
    }
    with RosProcess(MODULE, parameters) as process:
        process.wait_for_line(r"labelling /image with .*: 11 classes, 1 threads")
        yield process
        process.stop()


@pytest.fixture(scope="module")
def segmenter(tiny_tflite):
    return Segmenter(tiny_tflite, num_threads=1)


def frame(height=90, width=120, seed=0, encoding="rgb8", padding=0, frame_id="camera"):
    random = np.random.default_rng(seed)
    coarse = random.integers(
        0, 256, (height // 10 + 1, width // 10 + 1, CHANNELS[encoding]), np.uint8
    )
    pixels = coarse.repeat(10, 0).repeat(10, 1)[:height, :width]
    return image_message(pixels, encoding, padding, frame_id)


def ids(message):
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width)


def values(status):
    return {pair.key: pair.value for pair in status.values}


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", CHANNELS)
def test_labels_are_the_segmenters_pixel_for_pixel(node, camera, segmenter, encoding, padding):
    sent = frame(encoding=encoding, padding=padding, seed=len(encoding), frame_id="front_left")
    labels = camera.label(sent)
    assert labels.encoding == "mono8" and labels.step == labels.width == 120
    assert labels.header.frame_id == "front_left"
    assert labels.header.stamp == sent.header.stamp
    expected = segmenter.segment(to_rgb(sent))
    assert len(np.unique(expected)) > 1
    assert np.array_equal(ids(labels), expected)


def test_the_size_may_change_from_frame_to_frame(node, camera, segmenter):
    for height, width in ((90, 120), (33, 47), (1, 1), (200, 64), (90, 120)):
        sent = frame(height, width, encoding="bgr8")
        assert np.array_equal(ids(camera.label(sent)), segmenter.segment(to_rgb(sent)))
    node.wait_for_line(r"\[WARN\].*camera changed from \d+x\d+ \w+ to \d+x\d+ \w+")


def broken(**changes):
    message = frame()
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    "bad, reason",
    [
        (broken(encoding="klingon"), r"unsupported encoding 'klingon' \(supported: rgb8"),
        (broken(data=array.array("B", bytes(100))), "truncated data: 100 bytes"),
        (broken(step=100), "step of 100 bytes is smaller than a row of 120 rgb8 pixels"),
        (broken(height=0, width=0, step=0, data=array.array("B")), "image of zero size: 0x0"),
    ],
)
def test_a_bad_frame_is_told_counted_and_got_over(node, camera, segmenter, bad, reason):
    camera.label(frame())
    before = int(values(camera.status(lambda _: True))["frames failed"])
    camera.publisher.publish(camera.graph.stamp(bad))
    status = camera.status(lambda s: int(values(s)["frames failed"]) > before)
    assert int(values(status)["frames failed"]) == before + 1
    assert status.level == ERROR and re.search(reason, status.message)
    assert re.search(reason, values(status)["last failure"])
    node.wait_for_line(r"\[ERROR\].*frame not labelled: " + reason)

    good = frame(seed=5)
    assert np.array_equal(ids(camera.label(good)), segmenter.segment(to_rgb(good)))
    camera.status(lambda s: s.level == OK, keep_sending=frame())


def test_the_log_of_bad_frames_is_throttled(node, camera):
    camera.label(frame())
    before = int(values(camera.status(lambda _: True))["frames failed"])
    lines, start = len(node.errors()), time.monotonic()
    for _ in range(30):
        camera.publisher.publish(camera.graph.stamp(broken(step=99)))
        camera.label(frame())
    status = camera.status(lambda _: True)
    assert int(values(status)["frames failed"]) > before
    # At most one every five seconds, and one that came in between.
    assert len(node.errors()) - lines <= 2 + (time.monotonic() - start) / 5
    assert not any("Traceback" in line for line in node.lines)


def test_color_and_overlay(node, camera, graph, segmenter):
    color, blended = graph.inbox("/segmentation/color"), graph.inbox("/segmentation/overlay")
    sent = frame(seed=8, encoding="bgra8", padding=2, frame_id="rear")
    rgb, labels = to_rgb(sent), segmenter.segment(to_rgb(sent))
    colored = camera.label(sent, color)
    assert colored.encoding == "rgb8" and colored.header.frame_id == "rear"
    assert np.array_equal(to_rgb(colored), colorize(labels, segmenter.label_map))
    over = camera.label(sent, blended)
    assert over.encoding == "rgb8" and over.header == sent.header
    assert np.array_equal(to_rgb(over), overlay(rgb, labels, segmenter.label_map, 0.5))

    def set_opacity(value):
        value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
        (result,) = graph.call(
            SetParameters,
            "/segmentation/set_parameters",
            SetParameters.Request(parameters=[Parameter(name="overlay_opacity", value=value)]),
        ).results
        return result.successful

    assert set_opacity(1.0)
    assert np.array_equal(
        to_rgb(camera.label(sent, blended)), colorize(labels, segmenter.label_map)
    )
    assert not set_opacity(1.5)
    assert set_opacity(0.5)
    color.close()
    blended.close()


def test_views_are_only_made_while_someone_looks(graph, tiny_tflite, monkeypatch):
    made = []
    for name in ("colorize", "overlay"):
        real = getattr(camera_outputs, name)
        monkeypatch.setattr(
            camera_outputs,
            name,
            lambda *a, _n=name, _r=real, **k: made.append(_n) or _r(*a, **k),
        )
    node = own_node(graph, "alone", tiny_tflite)
    camera = node._cameras[""]

    def label(message):
        node._label_frame(camera, message, 0.0, 0.0)
        assert camera.statistics.snapshot().failed == {}

    try:
        label(frame())
        assert made == []
        for topic, name in (("color", "colorize"), ("overlay", "overlay")):
            inbox = graph.inbox(f"/alone/segmentation/{topic}")
            wait_until(lambda: camera.outputs.wanted)
            label(frame())
            assert made == [name]
            assert inbox.wait_for(lambda _: True) is not None
            inbox.close()
            wait_until(lambda: not camera.outputs.wanted)
            made.clear()
        label(frame())
        assert made == []
    finally:
        node.close()


def own_node(graph, namespace, model, **parameters):
    """A node of this process, configured and active, that nobody spins."""
    values = {"model": str(model), "num_threads": 1, **parameters}
    node = segmentation_node.SegmentationNode(
        context=graph.context,
        namespace=namespace,
        parameter_overrides=[OwnParameter(name, value=value) for name, value in values.items()],
    )
    node.bring_up()
    return node


@pytest.mark.parametrize("reliability", list(map(ReliabilityPolicy, (1, 2))))
def test_reliable_and_best_effort_cameras_and_readers_connect(node, camera, graph, reliability):
    other = Camera.__new__(Camera)
    other.graph, other.publisher = graph, graph.publisher("image", reliability=reliability)
    for reader in (ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE):
        inbox = graph.inbox("/segmentation/labels", reliability=reader)
        other.label(frame(), inbox)
        inbox.close()
    graph.node.destroy_publisher(other.publisher)


def subscribed(graph, topic):
    """Reliability of each subscription to a topic."""
    return [
        info.qos_profile.reliability for info in graph.node.get_subscriptions_info_by_topic(topic)
    ]


def settle(camera, *reliability):
    """Send frames until the node's only subscriptions are these: the old stays for one frame."""

    def settled():
        if subscribed(camera.graph, "/image") == list(reliability):
            return True
        camera.publisher.publish(camera.graph.stamp(frame()))
        return False

    wait_until(settled)


def test_delivery_is_as_reliable_as_all_publishers_offer(node, camera, graph):
    settle(camera, ReliabilityPolicy.RELIABLE)
    other = graph.publisher("image", reliability=ReliabilityPolicy.BEST_EFFORT)
    settle(camera, ReliabilityPolicy.BEST_EFFORT)
    # Without a frame both subscriptions stay; the camera that comes back finds one of them.
    graph.node.destroy_publisher(other)
    wait_until(lambda: len(subscribed(graph, "/image")) == 2)
    settle(camera, ReliabilityPolicy.RELIABLE)


class FakeNode:
    """Takes the place of rclpy's, so that messages can come in any order."""

    def __init__(self):
        self.subscriptions = []

    def create_subscription(
        self, message_type, topic, callback, qos, event_callbacks, callback_group
    ):
        subscription = types.SimpleNamespace(
            topic_name=topic, deliver=callback, reliability=qos.reliability
        )
        self.subscriptions.append(subscription)
        return subscription

    def destroy_subscription(self, subscription):
        self.subscriptions.remove(subscription)

    def create_timer(self, period, callback, clock, callback_group):
        self.look = callback

    def get_publishers_info_by_topic(self, topic):
        return [types.SimpleNamespace(qos_profile=QoSProfile(depth=1, reliability=self.offered))]


def test_a_change_of_delivery_loses_no_frame_and_brings_none_twice():
    def image(second):
        message = frame(1, 1)
        message.header.stamp.sec = second
        return message

    def change(offered):
        node.offered = offered
        node.look()
        return node.subscriptions[-1]

    node, seen = FakeNode(), []
    ImageSubscription(node, "image", lambda message: seen.append(message.header.stamp.sec))
    (best_effort,) = node.subscriptions
    best_effort.deliver(image(1))
    reliable = change(ReliabilityPolicy.RELIABLE)
    assert node.subscriptions == [best_effort, reliable]
    best_effort.deliver(image(2))
    reliable.deliver(image(2))
    assert node.subscriptions == [reliable]
    best_effort.deliver(image(3))  # was under way when it was destroyed
    reliable.deliver(image(3))
    reliable.deliver(image(3))  # a camera that gives no stamps has the same one always
    assert seen == [1, 2, 3, 3]

    change(ReliabilityPolicy.BEST_EFFORT)
    assert change(ReliabilityPolicy.RELIABLE) is reliable and node.subscriptions == [reliable]
    reliable.deliver(image(4))
    assert seen == [1, 2, 3, 3, 4]


def test_a_busy_node_labels_the_newest_frame_next(graph, tiny_tflite):
    node = own_node(graph, "busy_model", tiny_tflite)
    camera = node._cameras[""]
    begun, go_on, segment = threading.Event(), threading.Event(), node._segmenter.segment

    def wait_and_segment(*args, **options):
        begun.set()
        assert go_on.wait(TIMEOUT)
        return segment(*args, **options)

    node._segmenter.segment = wait_and_segment
    inbox = graph.inbox("/busy_model/segmentation/labels")
    try:
        wait_until(lambda: camera.outputs.wanted)
        frames = [graph.stamp(frame()) for _ in range(5)]
        camera._receive_image(frames[0])
        assert begun.wait(TIMEOUT)
        for message in frames[1:]:
            camera._receive_image(message)
        go_on.set()
        labelled = [message.header.stamp for message in inbox.wait_for_count(2)]
        assert labelled == [frames[0].header.stamp, frames[-1].header.stamp]
        wait_until(lambda: camera.statistics.snapshot().labelled == 2)
        assert camera.statistics.snapshot().dropped == {"newer frame": 3}
    finally:
        go_on.set()
        node.close()
        inbox.close()


def publish(publisher, message):
    """Until the middleware takes it: Fast DDS refuses while it still sends what would make room."""

    def taken():
        try:
            publisher.publish(message)
        except RuntimeError:
            return False
        return True

    wait_until(taken)


def test_of_a_burst_the_last_frame_is_labelled_and_every_frame_accounted_for(node, camera, graph):
    settle(camera, ReliabilityPolicy.RELIABLE)
    camera.label(frame())
    total = values(camera.status(lambda _: True))
    camera.labels.clear()
    burst = [frame(480, 640, seed=1) for _ in range(60)]
    for message in burst:
        publish(camera.publisher, camera.graph.stamp(message))
    last = burst[-1].header.stamp
    assert camera.labels.wait_for(lambda m: m.header.stamp == last) is not None
    stamps = [message.header.stamp.sec for message in camera.labels.messages()]
    assert stamps == sorted(set(stamps)) and stamps[-1] == last.sec

    def settled(status):
        now = values(status)
        received, *others = (
            int(now[f"frames {what}"])
            for what in ("received", "labelled", "dropped", "failed", "idle")
        )
        return received > int(total["frames received"]) and received == sum(others)

    camera.status(settled)


def test_diagnostics_tell_what_an_operator_asks_for(node, camera, tiny_tflite):
    status = camera.status(
        lambda s: s.level == OK and "total p50 (ms)" in values(s), keep_sending=frame()
    )
    assert status.name == "segmentation: inference"
    assert status.hardware_id == str(tiny_tflite).rpartition("/")[2]
    assert re.search(r"frames/s labelled", status.message)
    told = values(status)
    for stage in ("wait", "convert", "preprocess", "inference", "postprocess", "publish", "total"):
        p50, p95, p99, most = (
            float(told[f"{stage} {name} (ms)"]) for name in ("p50", "p95", "p99", "max")
        )
        assert 0 <= p50 <= p95 <= p99 <= most
    assert float(told["input rate (Hz)"]) > 0 and float(told["output rate (Hz)"]) > 0
    assert float(told["age of newest frame (s)"]) >= 0
    assert float(told["overhead ratio"]) >= float(told["overhead ratio without wait"]) >= 1.0
    assert int(told["frames dropped"]) >= 0 and told["last failure"] is not None
    status = camera.status(lambda _: True, task="process")
    told = values(status)
    assert status.level == OK and told["state"] == "active"
    assert float(told["resident memory (MB)"]) > 10 and float(told["CPU share (cores)"]) >= 0
    assert told["model"] == str(tiny_tflite) and told["threads"] == "1"


def test_a_silent_camera_is_stale_until_it_is_back(node, camera):
    status = camera.status(lambda s: s.level == STALE)
    assert re.match(r"no frame on /image for \d", status.message)
    camera.status(lambda s: s.level == OK, keep_sending=frame())


def test_parameters_describe_themselves_and_keep_their_ranges(node, graph):
    names = [parameter.name for parameter in segmentation_node.PARAMETERS]
    described = graph.call(
        DescribeParameters,
        "/segmentation/describe_parameters",
        DescribeParameters.Request(names=names),
    ).descriptors
    for descriptor, parameter in zip(described, segmentation_node.PARAMETERS):
        assert descriptor.description == parameter.description
        assert descriptor.read_only is not parameter.live
        if parameter.minimum is not None:
            (limits,) = [*descriptor.integer_range, *descriptor.floating_point_range]
            assert (limits.from_value, limits.to_value) == (parameter.minimum, parameter.maximum)
    window = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=2.0)
    (result,) = graph.call(
        SetParameters,
        "/segmentation/set_parameters",
        SetParameters.Request(parameters=[Parameter(name="diagnostics_window", value=window)]),
    ).results
    assert not result.successful
    (value,) = graph.call(
        GetParameters,
        "/segmentation/get_parameters",
        GetParameters.Request(names=["diagnostics_window"]),
    ).values
    assert value.double_value == 1.0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_while_frames_come(graph, tiny_tflite, how):
    publisher = graph.publisher("/busy/image")
    arguments = ["-r", "__ns:=/busy"]
    with RosProcess(MODULE, {"model": str(tiny_tflite)}, arguments) as process:
        process.wait_for_line("labelling /busy/image")
        wait_until(lambda: publisher.get_subscription_count() > 0)
        stop = threading.Event()

        def send():
            while not stop.is_set():
                publisher.publish(graph.stamp(frame(240, 320)))

        sender = threading.Thread(target=send)
        sender.start()
        inbox = graph.inbox("/busy/segmentation/labels")
        assert inbox.wait_for_count(3)
        status = process.stop(how)
        stop.set()
        sender.join()
        process.assert_clean_end(status)
        inbox.close()
    graph.node.destroy_publisher(publisher)


def test_what_it_cannot_start_with_is_one_error_and_a_failure(tiny_tflite):
    cases = [
        ({"num_threads": 17}, "num_threads"),
        ({"overlay_opacity": 1.5}, "overlay_opacity"),
        ({"stale_timeout": 2}, "stale_timeout"),
        ({"image_reliability": "maybe"}, "best_effort, reliable"),
        ({"image_transport": "theora"}, "raw, compressed"),
        ({"cameras": ["front", "front"]}, "no different names"),
        ({"cameras": ["front", "1st"]}, "'1st' is no name"),
    ]
    started = [
        (
            RosProcess(MODULE, {"model": str(tiny_tflite), **parameters}, ["-r", f"__ns:=/bad{i}"]),
            pattern,
        )
        for i, (parameters, pattern) in enumerate(cases)
    ]
    for process, pattern in started:
        with process:
            process.assert_one_error(pattern)


@pytest.mark.parametrize("module", [MODULE, "shuffleseg_ros.drive_player"])
@pytest.mark.parametrize(
    "arguments, words",
    [
        (["-p", "garbage"], "garbage"),
        (["--params-file", "/nothing/here.yaml"], "/nothing/here.yaml"),
        (["-r", "__node:=a/b"], "__node:=a/b"),
    ],
)
def test_ros_arguments_that_cannot_be_read_are_a_failure(module, arguments, words):
    with RosProcess(module, arguments=arguments) as process:
        assert process.wait() == 1
        (error,) = [line for line in process.errors() if "[rcl]" not in line]
        assert "cannot start with these ROS arguments" in error and words in error
        assert not any("Traceback" in line for line in process.lines)


def test_help_and_what_it_does_not_know():
    program = [sys.executable, "-m", MODULE]
    with RosProcess([*program, "--help"]) as process:
        process.assert_clean_end(process.wait())
        process.wait_for_line("overlay_opacity")
    with RosProcess([*program, "--model", "x.tflite"]) as process:
        process.assert_one_error("unknown argument '--model'")
    with RosProcess(MODULE, {"stale_timeout": 2}) as process:
        process.assert_one_error("stale_timeout: takes a float .*decimal point")


def test_a_misspelt_parameter_and_a_silent_topic_are_told(graph, tiny_tflite):
    with RosProcess(MODULE, {"model": str(tiny_tflite), "num_thread": 1}) as process:
        process.wait_for_line("WARN.*num_thread is not known.*did you mean num_threads")
        process.wait_for_line("WARN.*no image on /image yet")
        process.assert_clean_end(process.stop())
