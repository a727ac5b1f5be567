"""The ROS 2 node that stands for a camera in `shuffleseg benchmark-node`: does little but publish.

Publishes `image`, or those of several cameras in turn, from messages made before the first.
frame_id is the number of the frame, which the node's labels carry on.
"""

import array
import sys
import time

import cv2
import numpy as np
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from shuffleseg_ros.node_main import run_node
from shuffleseg_ros.node_parameters import NodeParameter, declare_parameters

NODE_NAME = "benchmark_camera"

#: encoding → OpenCV's conversion from RGB.
ENCODINGS = {
    "rgb8": None,
    "bgr8": cv2.COLOR_RGB2BGR,
    "rgba8": cv2.COLOR_RGB2RGBA,
    "bgra8": cv2.COLOR_RGB2BGRA,
    "mono8": cv2.COLOR_RGB2GRAY,
}

PARAMETERS = (
    NodeParameter("images", "", ".npy file of the images, uint8 [N, height, width, 3] in RGB."),
    NodeParameter("topics", ["image"], "Of the cameras, between whose frames the times are equal."),
    NodeParameter("encoding", "bgr8", "Of the messages.", choices=tuple(ENCODINGS)),
    NodeParameter("rate", 30.0, "Frames a second, of all cameras together.", 1.0, 1000.0),
    NodeParameter("num_frames", 1000, "After which it ends.", 1, 10**8),
    NodeParameter(
        "start_delay", 1.0, "Seconds between the first subscriber and the first frame.", 0.0, 60.0
    ),
)
# As camera drivers of ROS 2 mostly do.
QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)


def camera_message(rgb, encoding):
    """An Image message of pixels uint8 [height, width, 3] in RGB; ENCODINGS has the encodings."""
    conversion = ENCODINGS[encoding]
    pixels = rgb if conversion is None else cv2.cvtColor(rgb, conversion)
    height, width = pixels.shape[:2]
    return Image(
        height=height,
        width=width,
        encoding=encoding,
        step=pixels.nbytes // height,
        data=array.array("B", pixels.tobytes()),
    )


class BenchmarkCamera(Node):
    """See the module."""

    def __init__(self):
        super().__init__(NODE_NAME)
        declare_parameters(self, PARAMETERS)
        images = np.load(self._value("images"), mmap_mode="r")
        self._messages = [camera_message(rgb, self._value("encoding")) for rgb in images]
        self._publishers = [
            self.create_publisher(Image, topic, QOS) for topic in self._value("topics")
        ]

    def play(self):
        """Publish all frames at their times; one that is late does not make the others hurry."""
        while not all(one.get_subscription_count() for one in self._publishers):
            self._sleep_until(time.monotonic() + 0.05)
        due = time.monotonic() + self._value("start_delay")
        period = 1 / self._value("rate")
        for number in range(self._value("num_frames")):
            self._sleep_until(due)
            message = self._messages[number % len(self._messages)]
            message.header.frame_id = str(number)
            message.header.stamp = self.get_clock().now().to_msg()
            self._publishers[number % len(self._publishers)].publish(message)
            due = max(due + period, time.monotonic())
        for publisher in self._publishers:
            publisher.wait_for_all_acked(Duration(seconds=2))

    def close(self):
        self.destroy_node()

    def _sleep_until(self, due):
        if not self.context.ok():
            raise KeyboardInterrupt
        time.sleep(max(due - time.monotonic(), 0.0))

    def _value(self, name):
        return self.get_parameter(name).value


def main(args=None):
    return run_node(NODE_NAME, BenchmarkCamera, PARAMETERS, BenchmarkCamera.play, args=args)


if __name__ == "__main__":
    sys.exit(main())
