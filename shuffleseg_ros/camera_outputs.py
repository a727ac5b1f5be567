"""What the node publishes of one camera. Nothing is made that nobody subscribes to."""

import cv2
import numpy as np
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Float64MultiArray

from shuffleseg_core.class_remapping import UNLABELLED
from shuffleseg_core.colorize import colorize, overlay
from shuffleseg_core.network_input import resize_to_input
from shuffleseg_ros.camera_info import scaled
from shuffleseg_ros.image_conversion import OutgoingImage
from shuffleseg_ros.number_row import number_row
from shuffleseg_ros.qos_clash import publisher_events
from shuffleseg_ros.served_model import topic_name

# Reliable connects to reliable subscribers (RViz's and ros2 bag's default) and to best-effort ones.
# A depth of two keeps a slow reader from holding more than two frames of memory; with "keep last"
# the writer never waits for it.
OUTPUT_QOS = QoSProfile(depth=2, reliability=ReliabilityPolicy.RELIABLE)

IMAGES = {"labels": "mono8", "color": "rgb8", "overlay": "rgb8", "confidence": "mono8"}


class _Output:
    """A publisher and, of images, the message that it publishes again and again."""

    def __init__(self, node, topic, message_type, encoding=None):
        self._node = node
        self.publisher = node.create_publisher(
            message_type, topic, OUTPUT_QOS, event_callbacks=publisher_events(node, topic)
        )
        self.image = OutgoingImage(encoding, Image) if encoding else None

    @property
    def wanted(self):
        return self.publisher.get_subscription_count() > 0

    def close(self):
        self._node.destroy_publisher(self.publisher)


class CameraOutputs:
    """The publishers of a camera; `prefix` is '~/' or '~/NAME/'."""

    def __init__(self, node, prefix):
        self._node = node
        self._prefix = prefix
        self._outputs = {
            name: _Output(node, prefix + name, Image, encoding) for name, encoding in IMAGES.items()
        }
        for name, kind in (
            ("camera_info", CameraInfo),
            ("pixel_shares", Float64MultiArray),
            ("timing", Float64MultiArray),
        ):
            self._outputs[name] = _Output(node, prefix + name, kind)
        self._probabilities = {}  # class name → _Output

    def serve(self, served):
        """Have a topic for each class whose probability `served` (a ServedModel) tells."""
        for name in self._probabilities.keys() - served.probabilities:
            self._probabilities.pop(name).close()
        for name in served.probabilities.keys() - self._probabilities:
            topic = f"{self._prefix}probability/{topic_name(name)}"
            self._probabilities[name] = _Output(self._node, topic, Image, "mono8")

    @property
    def wanted(self):
        """Whether anybody subscribes to anything."""
        return any(o.wanted for o in (*self._outputs.values(), *self._probabilities.values()))

    def labels_memory(self, width, height):
        """uint8 [height, width]: where labels are written to be published without a copy."""
        return self._outputs["labels"].image.pixels(height, width)

    def publish_labels(self, header):
        labels = self._outputs["labels"]
        if labels.wanted:
            labels.publisher.publish(labels.image.message(header))

    def publish_views(self, frame, served, opacity):
        """All but the labels. `frame` is a LabelledFrame."""
        labels, label_map = frame.labels, served.label_map
        if (color := self._outputs["color"]).wanted:
            colorize(labels, label_map, out=color.image.pixels(*labels.shape))
            color.publisher.publish(color.image.message(frame.header))
        if (blended := self._outputs["overlay"]).wanted:
            size = labels.shape[::-1]
            overlay(
                resize_to_input(frame.pixels, size),
                labels,
                label_map,
                opacity,
                out=blended.image.pixels(*labels.shape),
                order=frame.order,
            )
            message = blended.image.message(frame.header, f"{frame.order}8")
            blended.publisher.publish(message)
        if (confidence := self._outputs["confidence"]).wanted:
            if served.segmenter.output == "logits":
                self._publish_probability(confidence, frame, served.segmenter.confidence)
        for name, ids in served.probabilities.items():
            if (output := self._probabilities[name]).wanted:
                self._publish_probability(
                    output,
                    frame,
                    lambda size, ids=ids: served.segmenter.probability(ids, size),
                )
        if (info := self._outputs["camera_info"]).wanted and frame.camera_info is not None:
            height, width = labels.shape
            info.publisher.publish(scaled(frame.camera_info, width, height, frame.header))
        if (shares := self._outputs["pixel_shares"]).wanted:
            message = number_row(frame.header.stamp, pixel_shares(labels, label_map.names))
            shares.publisher.publish(message)

    def publish_timing(self, stamp, stages):
        """`stages`: seconds by name."""
        if (timing := self._outputs["timing"]).wanted:
            row = {f"{name}_ms": 1e3 * seconds for name, seconds in stages.items()}
            timing.publisher.publish(number_row(stamp, row))

    def _publish_probability(self, output, frame, of_size):
        x, y, width, height = frame.region
        pixels = output.image.pixels(*frame.labels.shape)
        pixels.fill(0)
        pixels[y : y + height, x : x + width] = of_size((width, height))
        if frame.ego is not None:
            pixels[frame.ego != 0] = 0
        output.publisher.publish(output.image.message(frame.header))

    def close(self):
        for output in (*self._outputs.values(), *self._probabilities.values()):
            output.close()
        self._outputs.clear()
        self._probabilities.clear()


def pixel_shares(labels, names):
    """{class name: its share of the labelled pixels}, 0–1; all 0 where none is labelled."""
    counts = cv2.calcHist([labels], [0], None, [256], [0, 256]).ravel()
    total = labels.size - counts[UNLABELLED]
    return dict(zip(names, (counts[: len(names)] / max(total, 1)).astype(np.float64)))
