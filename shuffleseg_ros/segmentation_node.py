"""The ROS 2 node `segmentation`: camera images in, class labels out.

Subscribes `image`; publishes `~/labels` (mono8 class ids at the camera's size), `~/color` and
`~/overlay` (rgb8, made only while someone subscribes) and `/diagnostics`. Outputs carry the stamp
and the frame_id of the image that they belong to.

The executor's thread only takes messages from the middleware; a LatestFrameWorker labels them.
"""

import os
import sys
import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from shuffleseg_core.colorize import colorize, overlay
from shuffleseg_core.segmenter import Segmenter
from shuffleseg_ros import diagnostics_report
from shuffleseg_ros.frame_statistics import FrameStatistics
from shuffleseg_ros.image_conversion import ImageError, OutgoingImage, to_rgb
from shuffleseg_ros.image_subscription import RELIABILITIES, ImageSubscription
from shuffleseg_ros.latest_frame_worker import LatestFrameWorker
from shuffleseg_ros.log_throttle import LogThrottle
from shuffleseg_ros.node_main import run_node
from shuffleseg_ros.node_parameters import NodeParameter, declare_parameters

NODE_NAME = "segmentation"
LONELY = 5.0  # seconds without any image after which the log tells of it, once

PARAMETERS = (
    NodeParameter(
        "model",
        "",
        "Path of a .tflite model, or the name of a shipped one; empty: the default one of these.",
    ),
    NodeParameter("num_threads", 2, "Threads of the inference.", 1, 16),
    NodeParameter(
        "image_reliability",
        "auto",
        "Quality of service of the image subscription: auto takes reliable where all "
        "publishers offer it, else best effort.",
        choices=RELIABILITIES,
    ),
    NodeParameter(
        "overlay_opacity",
        0.5,
        "Share of the class colour in ~/overlay: 0 only the camera, 1 only the colours.",
        0.0,
        1.0,
        live=True,
    ),
    NodeParameter(
        "expected_rate",
        0.0,
        "Labelled frames a second below which (less 10 %) diagnostics say WARN; "
        "0: any rate is fine.",
        0.0,
        1000.0,
        live=True,
    ),
    NodeParameter(
        "stale_timeout",
        2.0,
        "Seconds without a frame after which diagnostics say STALE.",
        0.1,
        3600.0,
        live=True,
    ),
    NodeParameter(
        "diagnostics_period", 1.0, "Seconds between two messages on /diagnostics.", 0.1, 60.0
    ),
    NodeParameter(
        "diagnostics_window",
        5.0,
        "Seconds over which diagnostics report rates and latencies, and for which a "
        "failed frame keeps them at ERROR.",
        0.5,
        300.0,
    ),
)

# Reliable connects to reliable subscribers (RViz's and ros2 bag's default) and to best-effort ones.
# A depth of two keeps a slow reader from holding more than two frames of memory; with "keep last"
# the writer never waits for it.
OUTPUT_QOS = QoSProfile(depth=2, reliability=ReliabilityPolicy.RELIABLE)


class SegmentationNode(Node):
    """See the module. Raises UserError for a bad model, ParameterException for bad parameters."""

    def __init__(self, **node_options):
        super().__init__(NODE_NAME, **node_options)
        try:
            declare_parameters(self, PARAMETERS)
            self._segmenter = self._load_model()
        except BaseException:
            self.destroy_node()
            raise
        self._statistics = FrameStatistics(self.get_parameter("diagnostics_window").value)
        self._throttle = LogThrottle()
        self._told_lonely = False
        self._rgb = None  # memory for converted frames
        self._image_form = None  # (width, height, encoding) of the newest frame

        self._labels = self.create_publisher(Image, "~/labels", OUTPUT_QOS)
        self._color = self.create_publisher(Image, "~/color", OUTPUT_QOS)
        self._overlay = self.create_publisher(Image, "~/overlay", OUTPUT_QOS)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._labels_image = OutgoingImage("mono8", Image)
        self._color_image = OutgoingImage("rgb8", Image)
        self._overlay_image = OutgoingImage("rgb8", Image)

        self._worker = LatestFrameWorker(self._label_frame)
        self._worker.start()
        self._subscription = ImageSubscription(
            self, "image", self._receive_image, self.get_parameter("image_reliability").value
        )
        # On a steady clock: diagnostics must go on while simulated time stands still.
        self._timer = self.create_timer(
            self.get_parameter("diagnostics_period").value,
            self._publish_diagnostics,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        self.get_logger().info(
            f"labelling {self._subscription.topic_name} with "
            f"{os.path.basename(str(self._segmenter.model_path))}: "
            f"{len(self._segmenter.label_map)} classes, "
            f"{self._segmenter.num_threads} threads"
        )

    def close(self):
        """Let the frame in work end, then leave the ROS graph."""
        self._worker.stop()
        self.destroy_node()

    def _load_model(self):
        segmenter = Segmenter(
            self.get_parameter("model").value or None,
            num_threads=self.get_parameter("num_threads").value,
        )
        # The first inference sets up the interpreter's memory; have that done before frames come.
        width, height = segmenter.input_size
        segmenter.segment(np.zeros((height, width, 3), np.uint8))
        return segmenter

    def _receive_image(self, message):
        self._statistics.frame_received(displaced=self._worker.submit(message))

    def _label_frame(self, message, received, ready):
        """Runs on the worker's thread, for one frame at a time."""
        try:
            begun = time.monotonic()
            rgb = to_rgb(message, out=self._rgb)
            if message.encoding != "rgb8":  # rgb8's pixels are the message's own memory
                self._rgb = rgb
            self._note_image_form(message)
            converted = time.monotonic()
            labels = self._segmenter.segment(rgb)
            segmented = time.monotonic()
            self._labels_image.pixels(*labels.shape)[...] = labels
            self._labels.publish(self._labels_image.message(message.header))
            published = time.monotonic()
            self._publish_views(message.header, rgb, labels)
            timings = self._segmenter.timings
            self._statistics.frame_labelled(
                {
                    "wait": begun - received,
                    "convert": converted - begun,
                    "preprocess": timings.preprocess,
                    "inference": timings.inference,
                    "postprocess": timings.postprocess,
                    "publish": published - segmented,
                    "total": published - received,
                    "views": time.monotonic() - published,
                    "segment": segmented - converted,
                    "node": published - ready,
                }
            )
        except ImageError as error:
            self._frame_failed(error.kind, str(error))
        except Exception as error:  # whatever it is, the next frame gets its chance
            if self.context.ok():  # a signal ended ROS under the frame in work: no fault of its
                self._frame_failed(type(error).__name__, f"{type(error).__name__}: {error}")

    def _publish_views(self, header, rgb, labels):
        label_map = self._segmenter.label_map
        if self._color.get_subscription_count():
            colorize(labels, label_map, out=self._color_image.pixels(*labels.shape))
            self._color.publish(self._color_image.message(header))
        if self._overlay.get_subscription_count():
            overlay(
                rgb,
                labels,
                label_map,
                self.get_parameter("overlay_opacity").value,
                out=self._overlay_image.pixels(*labels.shape),
            )
            self._overlay.publish(self._overlay_image.message(header))

    def _note_image_form(self, message):
        form = (message.width, message.height, message.encoding)
        if self._image_form is not None and form != self._image_form:
            line = self._throttle.admit(
                "form",
                ("camera changed from {}x{} {} to {}x{} {}".format(*self._image_form, *form)),
            )
            if line:
                self.get_logger().warning(line)
        self._image_form = form

    def _frame_failed(self, kind, reason):
        reason = " ".join(reason.split())
        self._statistics.frame_failed(reason)
        line = self._throttle.admit(kind, f"frame not labelled: {reason}")
        if line:
            self.get_logger().error(line)

    def _publish_diagnostics(self):
        snapshot = self._statistics.snapshot()
        if snapshot.received == 0 and snapshot.up_time > LONELY and not self._told_lonely:
            self._told_lonely = True
            topic = self._subscription.topic_name
            self.get_logger().warning(
                f"no image on {topic} yet, which {self.count_publishers(topic)} publish; "
                "another topic is given as --ros-args -r image:=/camera/image_raw"
            )
        level, message = diagnostics_report.judge(
            snapshot,
            topic=self._subscription.topic_name,
            window=self._statistics.window,
            stale_timeout=self.get_parameter("stale_timeout").value,
            expected_rate=self.get_parameter("expected_rate").value,
        )
        pairs = diagnostics_report.values(snapshot)
        memory = diagnostics_report.resident_memory_mb()
        pairs += [
            ("model", str(self._segmenter.model_path)),
            ("threads", str(self._segmenter.num_threads)),
            ("resident memory (MB)", "" if memory is None else f"{memory:.1f}"),
        ]
        status = DiagnosticStatus(
            level=bytes([level]),
            message=message,
            # diagnostic_updater's form, and unique where several cameras have a node each
            name=f"{self.get_fully_qualified_name().lstrip('/')}: inference",
            hardware_id=os.path.basename(str(self._segmenter.model_path)),
            values=[KeyValue(key=key, value=value) for key, value in pairs],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)


def main(args=None):
    return run_node(NODE_NAME, SegmentationNode, PARAMETERS, args=args)


if __name__ == "__main__":
    sys.exit(main())
