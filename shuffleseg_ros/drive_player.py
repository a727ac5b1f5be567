"""The ROS 2 node `drive_player`: plays a drive as if it were a camera.

Publishes `image` (rgb8 or bgr8), `camera_info` and, for drives with ground truth, `~/truth` (mono8
class ids, made while someone subscribes), all with the same stamp. With `publish_clock` that is the
time of /clock, which it then publishes too. A drive is the synthetic one, a folder of images, a
video or a rosbag2.
"""

import sys
import time

import cv2
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from shuffleseg_ros.camera_info import pinhole_fields
from shuffleseg_ros.drive_source import open_drive, timed_frames
from shuffleseg_ros.image_conversion import OutgoingImage
from shuffleseg_ros.log_throttle import LogThrottle
from shuffleseg_ros.node_main import run_node
from shuffleseg_ros.node_parameters import NodeParameter, declare_parameters
from shuffleseg_ros.read_ahead import ReadAhead

NODE_NAME = "drive_player"

PARAMETERS = (
    NodeParameter(
        "drive", "", "Folder of images, video file or rosbag2; empty: the synthetic drive."
    ),
    NodeParameter("topic", "", "Image topic of a rosbag2; empty: its only one."),
    NodeParameter(
        "rate",
        0.0,
        "Frames a second; 0: the drive's own timing, 15 where it has none.",
        0.0,
        1000.0,
    ),
    NodeParameter("loop", False, "Begin again at the end instead of exiting."),
    NodeParameter(
        "publish_clock",
        False,
        "Publish /clock and stamp with its time: a rosbag2's own, else the time of day of the "
        "start. A loop sets it back each time.",
    ),
    NodeParameter("encoding", "rgb8", "Encoding of image.", choices=("rgb8", "bgr8")),
    NodeParameter("frame_id", "camera_optical_frame", "frame_id of every message."),
    NodeParameter(
        "horizontal_fov",
        60.0,
        "Horizontal field of view in degrees that camera_info claims.",
        1.0,
        179.0,
    ),
    NodeParameter(
        "wait_for_subscribers",
        1,
        "Hold the first frame until this many nodes subscribe to image.",
        0,
        100,
    ),
    NodeParameter(
        "start_delay",
        0.5,
        "Seconds before the first frame, for subscribers to finish connecting.",
        0.0,
        60.0,
    ),
    NodeParameter("seed", 0, "Which street the synthetic drive goes through.", 0, 2**31 - 1),
    NodeParameter("width", 640, "Width of the synthetic drive in pixels.", 32, 4096),
    NodeParameter("height", 360, "Height of the synthetic drive in pixels.", 32, 4096),
    NodeParameter("num_frames", 300, "Length of the synthetic drive in frames.", 1, 10**6),
)

# Reliable connects to reliable subscribers and to best-effort ones; "keep last" never makes the
# player wait for a slow one.
QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
LATE = 0.5  # seconds behind schedule after which the schedule is moved instead of hurrying
CLOCK_PERIOD = 0.01  # seconds between two messages on /clock


class DrivePlayer(Node):
    """See the module.

    Raises UserError for a drive that cannot be played; play() does for one without any readable
    frame.
    """

    def __init__(self, **node_options):
        super().__init__(NODE_NAME, **node_options)
        try:
            declare_parameters(self, PARAMETERS)
            self._source = open_drive(
                self._value("drive"),
                **{
                    name: self._value(name)
                    for name in ("topic", "seed", "width", "height", "num_frames")
                },
            )
        except BaseException:
            self.destroy_node()
            raise
        self._image = self.create_publisher(Image, "image", QOS)
        self._camera_info = self.create_publisher(CameraInfo, "camera_info", QOS)
        self._truth = self.create_publisher(Image, "~/truth", QOS)
        self._image_message = OutgoingImage(self._value("encoding"), Image)
        self._truth_message = OutgoingImage("mono8", Image)
        self._drive_clock = (
            _DriveClock(self, self._source) if self._value("publish_clock") else None
        )
        self._throttle = LogThrottle()
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self)
        self._frames = ReadAhead(
            timed_frames(self._source, self._value("rate"), self._value("loop"))
        )

    def play(self):
        """Publish the frames at their times; returns when the drive is at its end."""
        awaited = self._value("wait_for_subscribers")
        if awaited:
            self.get_logger().info(
                f"waiting for {awaited} to subscribe to {self._image.topic_name}"
            )
            while self._subscribers() < awaited:
                self._spin_until(time.monotonic() + 0.05)
        self._spin_until(time.monotonic() + self._value("start_delay"))
        drive = self._value("drive") or "the synthetic drive"
        self.get_logger().info(f"playing {drive} on {self._image.topic_name}")
        start = time.monotonic()
        played = unreadable = 0
        for since_start, into_round, frame in self._frames:
            start += self._lateness(start + since_start)
            due = start + since_start
            if self._drive_clock:
                self._drive_clock.approach(due, into_round)
            self._spin_until(due)
            if frame.image is None:
                unreadable += 1
                line = self._throttle.admit(
                    "unreadable", f"frame {frame.name} skipped: {frame.error}"
                )
                if line:
                    self.get_logger().error(line)
                continue
            self._publish(frame)
            played += 1
        # Whoever still waits for a part of the last frames gets it before the player goes.
        self._image.wait_for_all_acked(Duration(seconds=2))
        skipped = f", skipped {unreadable} unreadable" if unreadable else ""
        self.get_logger().info(f"played {played} frames{skipped}")

    def close(self):
        self._frames.close()
        self._executor.shutdown(timeout_sec=0)
        self.destroy_node()

    def _subscribers(self):
        """Nodes that subscribe to image; one may do so by several subscriptions."""
        found = self.get_subscriptions_info_by_topic(self._image.topic_name)
        nodes = {(subscription.node_namespace, subscription.node_name) for subscription in found}
        return min(len(nodes), self._image.get_subscription_count())

    def _publish(self, frame):
        now = self._drive_clock.reach() if self._drive_clock else self.get_clock().now()
        header = Header(stamp=now.to_msg(), frame_id=self._value("frame_id"))
        height, width = frame.image.shape[:2]
        pixels = self._image_message.pixels(height, width)
        if self._value("encoding") == "bgr8":
            cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR, dst=pixels)
        else:
            pixels[...] = frame.image
        self._image.publish(self._image_message.message(header))
        self._camera_info.publish(
            CameraInfo(
                header=header, **pinhole_fields(width, height, self._value("horizontal_fov"))
            )
        )
        if frame.truth is not None and self._truth.get_subscription_count():
            self._truth_message.pixels(*frame.truth.shape)[...] = frame.truth
            self._truth.publish(self._truth_message.message(header))

    def _lateness(self, due):
        """Seconds by which to move the schedule: those that the player is behind, if many."""
        late = time.monotonic() - due
        if late < LATE:
            return 0.0
        line = self._throttle.admit("late", f"{late:.1f} s behind: frames cannot be read in time")
        if line:
            self.get_logger().warning(line)
        return late

    def _spin_until(self, due):
        """Serve the node (parameters, the end) until time.monotonic() is `due`."""
        while True:
            if not self.context.ok():
                raise ExternalShutdownException()
            remaining = due - time.monotonic()
            if remaining <= 0:
                return
            self._executor.spin_once(timeout_sec=remaining)

    def _value(self, name):
        return self.get_parameter(name).value


class _DriveClock:
    """Publishes a drive's time on /clock, on the way from frame to frame and at each of them.

    It never runs past the next frame, so that only a new round sets it back.
    """

    def __init__(self, node, source):
        self._publisher = node.create_publisher(ClockMessage, "/clock", QOS)
        self._source = source
        self._begin = time.time_ns()  # where the source has no time of its own
        self._due = self._into_round = 0.0
        node.create_timer(CLOCK_PERIOD, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def approach(self, due, into_round):
        """The next frame comes at time.monotonic() `due`, `into_round` seconds into its round."""
        self._due, self._into_round = due, into_round

    def reach(self):
        """Publish the frame's time and return it, as rclpy's Time."""
        return self._publish(self._into_round)

    def _tick(self):
        remaining = self._due - time.monotonic()
        if 0 < remaining <= self._into_round:
            self._publish(self._into_round - remaining)

    def _publish(self, into_round):
        begin = getattr(self._source, "start", None) or self._begin
        now = Time(nanoseconds=begin + round(into_round * 1e9))
        self._publisher.publish(ClockMessage(clock=now.to_msg()))
        return now


def main(args=None):
    return run_node(NODE_NAME, DrivePlayer, PARAMETERS, DrivePlayer.play, args=args)


if __name__ == "__main__":
    sys.exit(main())
