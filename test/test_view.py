"""The browser view: what reaches a browser from a real ROS graph, where it listens, how it ends.

And that the layouts for RViz and Foxglove name topics that there are.
"""

# ruff: noqa: E402, F401, F811  (imports follow the skip; `graph` is a fixture)

import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy): pip install .[ros]")

import cv2
import numpy as np
import yaml
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Float64MultiArray, String

from ros_graph import TIMEOUT, RosProcess, graph, image_message, wait_until
from shuffleseg_core.label_map import LabelMap
from shuffleseg_ros.camera_outputs import IMAGES
from shuffleseg_ros.label_info import label_info_json
from shuffleseg_ros.number_row import number_row
from shuffleseg_ros.segmentation_view import PARAMETERS

REPOSITORY = Path(__file__).resolve().parents[1]
VIEW = "shuffleseg_ros.segmentation_view"
CLASSES = LabelMap.named("camvid")
MILLISECONDS = {"wait_ms": 0.0, "inference_ms": 31.0, "total_ms": 35.0, "latency_ms": 48.0}

needs_rerun = pytest.mark.skipif(
    importlib.util.find_spec("rerun") is None, reason="needs Rerun: pip install .[view]"
)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def listening(ports):
    """{(address, port)} that some process of this computer listens on, addresses in hex."""
    found = set()
    for file in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(file).read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, port = local.split(":")
            if state == "0A" and int(port, 16) in ports:
                found.add((address, int(port, 16)))
    return found


class View(RosProcess):
    """A view on free ports, open when this returns."""

    def __init__(self, **parameters):
        self.ports = free_ports(2)
        super().__init__(VIEW, {"port": self.ports[0], "grpc_port": self.ports[1], **parameters})
        self.page = self.wait_for_line("open http").rpartition(" ")[2]

    def kill(self):
        self._process.kill()


class Browser:
    """Takes from a view what a browser would, into a file, by Rerun's own program."""

    def __init__(self, view, folder):
        import rerun_cli

        self._program = Path(rerun_cli.__file__).with_name("rerun")
        self._file = folder / "seen.rrd"
        self._environment = {
            **os.environ,
            "XDG_CONFIG_HOME": str(folder),
            "XDG_DATA_HOME": str(folder),
        }
        url = f"rerun+http://127.0.0.1:{view.ports[1]}/proxy"
        (own,) = free_ports(1)
        self._process = subprocess.Popen(
            [self._program, url, "--save", self._file, "--bind", "127.0.0.1", "--port", str(own)],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def seen(self, details=""):
        """A line for everything logged; with details "-vvv" all values too."""
        if not self._file.exists():
            return ""
        return subprocess.run(
            [self._program, "rrd", "print", *filter(None, [details]), self._file],
            env=self._environment,
            capture_output=True,
            text=True,
            errors="replace",
        ).stdout

    def wait_for(self, pattern, keep_sending):
        """Until something logged matches, sending all the while."""

        def arrived():
            keep_sending()
            return re.search(pattern, self.seen())

        wait_until(arrived, 2 * TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()


class Robot:
    """Stands in for a camera and the segmentation node, with messages made as that makes them."""

    def __init__(self, graph, camera="", transport="raw"):
        self._graph = graph
        prefix = f"{camera}/" if camera else ""
        outputs = f"segmentation/{prefix}"
        image = CompressedImage if transport == "compressed" else Image
        compressed = "/compressed" if transport == "compressed" else ""
        self._latched = graph.node.create_publisher(
            String,
            "segmentation/label_info/json",
            QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL),
        )
        self.publishers = {
            "image": graph.publisher(f"{prefix}image{compressed}", image),
            "labels": graph.publisher(f"{outputs}labels"),
            "timing": graph.publisher(f"{outputs}timing", Float64MultiArray),
        }
        self._transport = transport

    def tell_classes(self, text=None):
        self._latched.publish(String(data=text or label_info_json(CLASSES, "camvid_fast.tflite")))

    def image(self, pixels):
        if self._transport == "raw":
            return self._graph.stamp(image_message(pixels, "rgb8", padding=5))
        jpeg = cv2.imencode(".jpg", pixels)[1].tobytes()
        return self._graph.stamp(CompressedImage(format="jpeg", data=jpeg))

    def labels(self, size=(30, 40)):
        labels = np.full(size, 3, np.uint8)
        labels[:4] = 255
        return image_message(labels, "mono8")

    def send(self, image=True, labels=True):
        """One frame with all that belongs to it."""
        message = self.image(np.full((60, 80, 3), 90, np.uint8))
        if image:
            self.publishers["image"].publish(message)
        if labels:
            answer = self.labels()
            answer.header = message.header
            self.publishers["labels"].publish(answer)
            self.publishers["timing"].publish(number_row(message.header.stamp, MILLISECONDS))

    def close(self):
        for publisher in (self._latched, *self.publishers.values()):
            self._graph.node.destroy_publisher(publisher)


@pytest.fixture
def robot(graph):
    made = []

    def robot(*args):
        made.append(Robot(graph, *args))
        return made[-1]

    yield robot
    for one in made:
        one.close()


@needs_rerun
def test_a_browser_gets_pictures_masks_names_and_latencies(robot, tmp_path, monkeypatch):
    monkeypatch.setenv("RERUN_STRICT", "1")  # a misuse of Rerun is an exception
    front, left = robot("front"), robot("left")
    front.tell_classes()
    late = left.labels()

    def send():
        front.send()
        left.send(labels=False)

    with View(cameras=["front", "left"], max_rate=1000.0) as view:
        assert listening(view.ports) == {("0100007F", port) for port in view.ports}
        with urllib.request.urlopen(view.page, timeout=TIMEOUT) as page:
            assert b"Rerun Viewer" in page.read()
        with Browser(view, tmp_path) as browser:
            for path in (
                "classes/names",
                "front/image",
                "front/labels",
                "front/timing",
                "left/image",
            ):
                browser.wait_for(f"rows .* - /{path} - ", send)
            text = browser.seen("-vvv")
            # Never labelled, so it has a picture alone. Labels that come late are no jump in time.
            assert "Clear" in text
            assert not re.search("- /left/labels - .*SegmentationImage", browser.seen())
            late.header.stamp.sec, late.header.stamp.nanosec = 1, 0
            browser.wait_for(
                "- /left/labels - .*SegmentationImage",
                lambda: left.publishers["labels"].publish(late),
            )
            assert not any("went back" in line for line in view.lines)
        for name in CLASSES.names:
            assert name in text
        assert "inference (ms)" in text
        view.assert_clean_end(view.stop())
        assert not listening(view.ports)


@needs_rerun
@pytest.mark.parametrize("transport, quality", [("raw", 80), ("compressed", 0)])
def test_pictures_from_compressed_images_and_as_jpeg(robot, tmp_path, transport, quality):
    camera = robot("", transport)
    with View(image_transport=transport, jpeg_quality=quality) as view:
        with Browser(view, tmp_path) as browser:
            kind = "EncodedImage" if quality else "Image"
            browser.wait_for(rf"- /camera/image - .*[\[@ ]{kind}(:|Indicator)", camera.send)
            browser.wait_for("- /camera/labels - .*SegmentationImage", camera.send)
        view.assert_clean_end(view.stop())


@needs_rerun
def test_bad_messages_are_told_and_the_next_good_one_is_shown(robot, graph, tmp_path):
    camera = robot()

    def send_bad():
        image = camera.image(np.zeros((60, 80, 3), np.uint8))
        labels = camera.labels()
        labels.header, labels.encoding = image.header, "mono16"
        timing = Float64MultiArray(data=[1.0, 2.0])
        for name, message in (("image", image), ("labels", labels), ("timing", timing)):
            camera.publishers[name].publish(message)
        camera.tell_classes("{}")

    with View(max_rate=1000.0) as view, Browser(view, tmp_path) as browser:

        def all_told():
            send_bad()
            return all(
                any(re.search(fault, line) for line in view.errors())
                for fault in ("mono16", "timing lacks", "label_info/json: KeyError")
            )

        wait_until(all_told)
        camera.tell_classes()
        browser.wait_for("- /camera/labels - .*SegmentationImage", camera.send)
        assert view.stop() == 0


@needs_rerun
def test_a_bag_that_begins_again_is_a_new_recording(robot, graph, tmp_path, monkeypatch):
    camera = robot()
    with View(max_rate=1000.0) as view, Browser(view, tmp_path) as browser:
        browser.wait_for("- /camera/labels - ", camera.send)
        monkeypatch.setattr(graph, "_stamps", iter(range(1, 10**9)))
        wait_until(lambda: camera.send() or any("stamps went back" in one for one in view.lines))
        before = browser.seen().count("- /camera/labels - ")
        wait_until(
            lambda: camera.send() or browser.seen().count("- /camera/labels - ") > before,
        )
        # What is logged once in each recording.
        assert (
            len(re.findall("- /camera/timing - .*SeriesLines(?::|Indicator)", browser.seen())) == 2
        )
        view.assert_clean_end(view.stop())


@needs_rerun
def test_the_server_dies_with_the_view_and_the_view_with_the_server(robot):
    with View() as view:
        view.kill()
        wait_until(lambda: not listening(view.ports))
    with View() as view:
        (server,) = subprocess.check_output(
            ["pgrep", "-P", str(view._process.pid), "-x", "rerun"], text=True
        ).split()
        os.kill(int(server), signal.SIGKILL)
        view.assert_one_error("Rerun's server ended with status -9")


@needs_rerun
@pytest.mark.parametrize(
    "parameters, reason",
    [
        ({"bind": "localhost"}, "'localhost' is no IP address; 127.0.0.1 is this computer only"),
        ({"bind": "192.0.2.77"}, "cannot listen on 192.0.2.77"),
        ({"cameras": ["front left"]}, "parameters cameras and node"),
        ({"jpeg_quality": 101}, "jpeg_quality"),
    ],
)
def test_a_mistake_is_one_line(parameters, reason):
    port, grpc_port = free_ports(2)
    with RosProcess(VIEW, {"port": port, "grpc_port": grpc_port, **parameters}) as view:
        view.assert_one_error(re.escape(reason))


@needs_rerun
def test_a_port_in_use_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with RosProcess(VIEW, {"port": free_ports(1)[0], "grpc_port": port}) as view:
            view.assert_one_error(f"127.0.0.1:{port}: Address already in use.*-p grpc_port:=NUMBER")


@needs_rerun
def test_all_networks_where_asked_for():
    with View(bind="0.0.0.0") as view:
        assert listening(view.ports) == {("00000000", port) for port in view.ports}
        assert view.page.startswith(f"http://{socket.gethostname()}:{view.ports[0]}/?url=")
        view.assert_clean_end(view.stop())


def test_without_rerun_one_line_names_the_extra(tmp_path, monkeypatch):
    for name in ("rerun", "rerun_cli"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError(\"No module named '{name}'\")")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with RosProcess(VIEW) as view:
        view.assert_one_error(r"needs Rerun \(No module named.*pip install '\.\[view\]'")


def test_docs_name_every_parameter():
    text = (REPOSITORY / "docs" / "view.md").read_text(encoding="utf-8")
    for parameter in PARAMETERS:
        assert f"`{parameter.name}`" in text, parameter.name


def topics(cameras):
    """What there is to see, with the topics of the segmentation node in its plain setting."""
    shown = {"/diagnostics"}
    for camera in cameras:
        prefix = f"{camera}/" if camera else ""
        shown.add(f"/{prefix}image" if camera else "/camera/image")
        shown |= {f"/segmentation/{prefix}{output}" for output in (*IMAGES, "timing")}
    return shown


@pytest.mark.parametrize(
    "file, cameras, wanted",
    [
        ("segmentation.rviz", [""], ("overlay", "color", "confidence")),
        ("multi_camera.rviz", ["front", "left", "right"], ("overlay",)),
    ],
)
def test_rviz_shows_images_and_overlays_of_every_camera(file, cameras, wanted):
    config = yaml.safe_load((REPOSITORY / "config" / file).read_text())
    displays = config["Visualization Manager"]["Displays"]
    shown = {display["Topic"]["Value"] for display in displays}
    assert len(shown) == len(displays) == len(cameras) * (1 + len(wanted))
    assert shown <= topics(cameras)
    assert {display["Name"] for display in displays} <= set(config["Window Geometry"])
    for display in displays:
        # A camera may be either; the node's outputs are lost less often when reliable.
        camera = "segmentation" not in display["Topic"]["Value"]
        expected = "Best Effort" if camera else "Reliable"
        assert display["Topic"]["Reliability Policy"] == expected
        assert display["Enabled"] == ("confidence" not in display["Topic"]["Value"])


def foxglove():
    return json.loads((REPOSITORY / "config" / "foxglove_layout.json").read_text())


def test_foxglove_lays_out_every_panel_and_names_topics_that_there_are():
    layout = foxglove()

    def panels(part):
        if isinstance(part, str):
            return [part]
        return panels(part["first"]) + panels(part["second"])

    assert sorted(panels(layout["layout"])) == sorted(layout["configById"])
    assert {"globalVariables", "userNodes", "playbackConfig"} <= set(layout)
    named = re.findall(r'"(/[a-z/_]+)', json.dumps(layout))
    assert set(named) <= topics([""])
    assert {"/segmentation/overlay", "/segmentation/labels", "/diagnostics"} <= set(named)


def test_foxglove_plots_what_the_node_really_sends(graph, tiny_tflite):
    """The numbers are found by their place in ~/timing, and named in the plot's legend."""
    timing = graph.inbox("/segmentation/timing", Float64MultiArray)
    publisher = graph.publisher("image")
    with RosProcess("shuffleseg_ros.segmentation_node", {"model": str(tiny_tflite)}) as node:

        def labelled():
            pixels = np.zeros((48, 64, 3), np.uint8)
            publisher.publish(graph.stamp(image_message(pixels, "rgb8")))
            return timing.messages()

        wait_until(labelled)
        node.stop()
    graph.node.destroy_publisher(publisher)
    names = timing.messages()[0].layout.dim[0].label.split(",")
    timing.close()
    plotted = [
        path for panel in foxglove()["configById"].values() for path in panel.get("paths", [])
    ]
    assert len(plotted) > 5
    for path in plotted:
        index = int(re.fullmatch(r"/segmentation/timing\.data\[(\d+)\]", path["value"])[1])
        assert names[index] == path["label"].replace(" (ms)", "_ms")
