"""The ROS 2 node `segmentation_view`: shows a segmentation node's work in a browser.

For a robot without a screen. Subscribes each camera's `image`, and `labels`, `timing` and
`label_info/json` of the segmentation node, and serves them through Rerun.

Everything is taken with queues of one message and at most `max_rate` pictures a second are shown,
the newest ones, so that looking on costs the robot little.
"""

import json
import sys
import time

import cv2
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Float64MultiArray, String

from shuffleseg_core.errors import UserError
from shuffleseg_ros.image_conversion import ImageError, decode, to_rgb
from shuffleseg_ros.image_subscription import TRANSPORTS, ImageSubscription
from shuffleseg_ros.log_throttle import LogThrottle
from shuffleseg_ros.node_main import run_node
from shuffleseg_ros.node_parameters import NodeParameter, declare_parameters
from shuffleseg_ros.rate_limit import RateLimit

NODE_NAME = "segmentation_view"

PARAMETERS = (
    NodeParameter("cameras", [""], "Names of the cameras, as the segmentation node's."),
    NodeParameter(
        "node", "segmentation", "The segmentation node's name, with a namespace: NAMESPACE/NAME."
    ),
    NodeParameter(
        "image_transport",
        "raw",
        "compressed takes sensor_msgs/CompressedImage from IMAGE/compressed.",
        choices=tuple(TRANSPORTS),
    ),
    NodeParameter(
        "bind",
        "127.0.0.1",
        "IP address to listen on; 127.0.0.1: this computer only, 0.0.0.0: every network.",
    ),
    NodeParameter("port", 9090, "Port of the page.", 1, 65535),
    NodeParameter("grpc_port", 9876, "Port that the page takes its data from.", 1, 65535),
    NodeParameter(
        "memory_limit_mb",
        100,
        "MB of past frames that are kept for browsers that come later.",
        10,
        65536,
    ),
    NodeParameter("max_rate", 10.0, "Pictures a second of each camera.", 0.1, 1000.0),
    NodeParameter("max_width", 480, "Pixels; wider pictures are made smaller.", 16, 8192),
    NodeParameter(
        "jpeg_quality",
        0,
        "1 to 100 sends pictures as JPEG, a sixth of the data; 0 as they are. With Rerun from 0.32 "
        "on, pictures flicker as JPEG.",
        0,
        100,
    ),
)

# Best effort never makes a publisher wait or send anything again.
_NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_SMALL = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
_LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
UNLABELLED_AFTER = 1.0  # seconds without labels after which the camera is shown alone
WAITING_BYTES = 32_000_000  # of a camera's pictures that wait for their labels
CHECK_PERIOD = 1.0  # seconds between two looks at the server
TIMING = ("stamp_s", "total_ms", "inference_ms", "latency_ms")


class SegmentationView(Node):
    """See the module. Raises UserError for a missing Rerun and a port that cannot be had,
    ParameterException for bad parameters."""

    def __init__(self, **node_options):
        super().__init__(NODE_NAME, **node_options)
        self._server = self._view = None
        try:
            declare_parameters(self, PARAMETERS)
            self._cameras = self.get_parameter("cameras").value
            self._start_view()
            self._throttle = LogThrottle()
            self._subscribe()
        except BaseException:
            self.close()
            raise
        self.get_logger().info(f"open {self._server.page}")

    def close(self):
        """End the server, then leave the ROS graph."""
        if self._view is not None:
            self._view.close()
        if self._server is not None:
            self._server.close()
        self.destroy_node()

    def fault(self, kind, reason):
        """Log an ERROR, each kind at most once every few seconds."""
        line = self._throttle.admit(kind, " ".join(f"not shown: {reason}".split()))
        if line:
            self.get_logger().error(line)

    def time_went_back(self):
        """A bag that plays again, or a clock that was set."""
        self.get_logger().info("stamps went back; beginning a new recording")
        self._view.restart()
        for camera in self._shown:
            camera.forget()

    def _start_view(self):
        try:
            from shuffleseg_ros.rerun_server import RerunServer
            from shuffleseg_ros.rerun_view import RerunView
        except ImportError as error:
            raise UserError(
                f"the browser view needs Rerun ({error}): pip install 'rerun-sdk>=0.23.1,<0.42', "
                "or in the checkout pip install '.[view]'"
            ) from error
        value = {
            parameter.name: self.get_parameter(parameter.name).value for parameter in PARAMETERS
        }
        self._server = RerunServer(
            value["bind"], value["port"], value["grpc_port"], value["memory_limit_mb"]
        )
        self._view = RerunView(
            self._cameras,
            lambda recording, blueprint: recording.connect_grpc(
                self._server.url, default_blueprint=blueprint
            ),
            value["max_width"],
            value["jpeg_quality"],
        )

    def _subscribe(self):
        segmentation = self.get_parameter("node").value
        try:
            self._shown = [
                _Camera(self, name, f"{segmentation}/{name}/" if name else f"{segmentation}/")
                for name in self._cameras
            ]
            self.create_subscription(
                String, f"{segmentation}/label_info/json", self._receive_label_info, _LATCHED
            )
        except NameValidationException as error:
            raise UserError(f"parameters cameras and node: {error}") from error
        # On a steady clock: simulated time may stand still.
        self.create_timer(
            CHECK_PERIOD, self._server.check, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def _receive_label_info(self, message):
        try:
            info = json.loads(message.data)
            classes = [(one["id"], one["name"], tuple(one["color"])) for one in info["classes"]]
            self._view.show_classes(classes, info["unlabelled_id"])
        except (ValueError, KeyError, TypeError) as error:
            self.fault("label_info", f"label_info/json: {type(error).__name__}: {error}")


class _Camera:
    """One camera's subscriptions; `prefix` is before the names of the segmentation node's topics.

    A picture is shown together with the labels of the same stamp.
    """

    def __init__(self, node, name, prefix):
        self._node = node
        self._name = name
        self._view = node._view
        self._max_rate = node.get_parameter("max_rate").value
        self._rate_limit = RateLimit()
        self._labelled = 0.0  # time.monotonic() of the newest labels
        self.forget()
        image = f"{name}/image" if name else "image"
        transport = node.get_parameter("image_transport").value
        self._subscription = ImageSubscription(
            node, image, self._receive_picture, transport=transport
        )
        node.create_subscription(Image, prefix + "labels", self._receive_labels, _NEWEST)
        node.create_subscription(Float64MultiArray, prefix + "timing", self._receive_timing, _SMALL)

    def forget(self):
        self._waiting = {}  # stamp → picture's message, oldest first
        self._newest = {}  # whether labelled → stamp of what was shown last

    def _receive_picture(self, message):
        self._waiting[_nanoseconds(message.header.stamp)] = message
        size = sum(len(one.data) for one in self._waiting.values())
        while size > WAITING_BYTES and len(self._waiting) > 1:
            size -= len(self._waiting.pop(next(iter(self._waiting))).data)
        alone = time.monotonic() - self._labelled > UNLABELLED_AFTER
        if alone and self._rate_limit.admits(self._max_rate):
            self._show(_nanoseconds(message.header.stamp), message, None)

    def _receive_labels(self, message):
        self._labelled = time.monotonic()
        stamp = _nanoseconds(message.header.stamp)
        picture = self._waiting.get(stamp)
        for older in [one for one in self._waiting if one <= stamp]:
            del self._waiting[older]
        if self._rate_limit.admits(self._max_rate):
            self._show(stamp, picture, message)

    def _show(self, stamp, picture, labels):
        # Labels may well come after newer pictures that were shown alone.
        labelled = labels is not None
        if stamp < self._newest.get(labelled, stamp):
            self._node.time_went_back()
        self._newest[labelled] = stamp
        try:
            self._view.show_frame(
                self._name,
                stamp,
                None if picture is None else _pixels(picture),
                None if labels is None else _label_pixels(labels),
            )
        except ImageError as error:
            self._node.fault(error.kind, error)

    def _receive_timing(self, message):
        names = message.layout.dim[0].label.split(",") if message.layout.dim else []
        row = dict(zip(names, message.data))
        if not all(name in row for name in TIMING):
            self._node.fault("timing", f"timing lacks one of {', '.join(TIMING)}")
            return
        stamp, *milliseconds = (row[name] for name in TIMING)
        self._view.show_timing(self._name, round(stamp * 1e9), milliseconds)


def _nanoseconds(stamp):
    return stamp.sec * 10**9 + stamp.nanosec


def _pixels(message):
    """uint8 [h, w, 3] RGB of an Image or CompressedImage; raises ImageError."""
    if isinstance(message, CompressedImage):
        return cv2.cvtColor(decode(message)[0], cv2.COLOR_BGR2RGB)
    return to_rgb(message)


def _label_pixels(message):
    """uint8 [h, w] of a mono8 Image; raises ImageError."""
    if message.encoding != "mono8":
        raise ImageError(f"labels are {message.encoding!r}, not mono8", "encoding")
    return to_rgb(message)[..., 0]


def main(args=None):
    return run_node(NODE_NAME, SegmentationView, PARAMETERS, args=args)


if __name__ == "__main__":
    sys.exit(main())
