"""Watches camera, labels, truth and diagnostics in the ROS graph and measures."""

from __future__ import annotations

import time
from collections import OrderedDict

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from shuffleseg_core.label_map import LabelMap
from shuffleseg_core.metrics import ConfusionMatrix

from ..image_conversion import to_rgb

_KEPT = 60  # frames that wait for their labels
_VOID = 255  # "no class" in many datasets' label images


class Monitor(Node):
    """Matches messages by stamp.

    Args:
        label_map: of the model.
        on_pair: called with (rgb [H, W, 3], labels [H, W], truth [H, W] or None) of each frame.

    Attributes:
        frames_labelled: label images that arrived.
        latencies: seconds from an image's stamp to the arrival of its labels.
        first_label: time.monotonic() of the first label image, None before it.
        diagnostics: newest values by name.
        overheads, overheads_without_wait: the node's own overhead ratios, one a diagnostics
            message.
    """

    def __init__(self, label_map: LabelMap, on_pair):
        super().__init__("demo_monitor")
        self._played: set[int] = set()  # stamps
        self.frames_labelled = 0
        self.latencies: list[float] = []
        self.first_label = None
        self.diagnostics: dict[str, str] = {}
        self.overheads: list[float] = []
        self.overheads_without_wait: list[float] = []
        self._on_pair = on_pair
        self._images: OrderedDict[int, Image] = OrderedDict()
        self._truths: OrderedDict[int, Image] = OrderedDict()
        self._matrix = None
        if label_map.names == LabelMap.named("camvid").names:  # the ids that drives' truth uses
            self._matrix = ConfusionMatrix(len(label_map), LabelMap.named("camvid").ignore_id)
        self._score_truth = self._matrix is not None
        qos = QoSProfile(depth=20, reliability=ReliabilityPolicy.RELIABLE)
        # Truth before image before labels: the order in which they can be matched.
        self.create_subscription(Image, "drive_player/truth", self._receive_truth, qos)
        self.create_subscription(Image, "image", self._receive_image, qos)
        self.create_subscription(Image, "segmentation/labels", self._receive_labels, qos)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._receive_diagnostics, qos)

    @property
    def frames_played(self) -> int:
        """Images that the player is known to have published."""
        return len(self._played)

    def miou(self) -> float | None:
        """Mean IoU over the frames that have truth, 0–1; None where none has."""
        if not self._score_truth or not self._matrix.counts.any():
            return None
        return self._matrix.miou()

    def _receive_image(self, message):
        self._played.add(_nanoseconds(message))
        _keep(self._images, message)

    def _receive_truth(self, message):
        _keep(self._truths, message)

    def _receive_labels(self, message):
        arrived = self.get_clock().now().nanoseconds
        if self.first_label is None:
            self.first_label = time.monotonic()
        self.frames_labelled += 1
        stamp = _nanoseconds(message)
        self._played.add(stamp)  # it surely was, also where the image itself got lost on its way
        self.latencies.append((arrived - stamp) / 1e9)
        image = self._images.pop(stamp, None)
        truth = self._truths.pop(stamp, None)
        if image is None:
            return
        labels = _ids(message)
        self._on_pair(to_rgb(image), labels, self._score(truth, labels))

    def _score(self, truth, labels) -> np.ndarray | None:
        """The truth's ids where they are of the model's classes; other drives go without truth."""
        if truth is None or not self._score_truth:
            return None
        ids = _ids(truth)
        known = np.append(np.arange(self._matrix.num_classes), (self._matrix.ignore_id, _VOID))
        if not np.isin(np.unique(ids), known).all():
            self._score_truth = False
            print("ground truth left out: it has ids that are none of the model's classes")
            return None
        if ids.shape == labels.shape:
            self._matrix.update(ids, labels)
        return ids

    def _receive_diagnostics(self, message):
        for status in message.status:
            if status.name == "segmentation: inference":
                self.diagnostics = {pair.key: pair.value for pair in status.values}
                for key, ratios in (
                    ("overhead ratio", self.overheads),
                    ("overhead ratio without wait", self.overheads_without_wait),
                ):
                    if key in self.diagnostics:
                        ratios.append(float(self.diagnostics[key]))


def _nanoseconds(message) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def _keep(messages: OrderedDict, message) -> None:
    messages[_nanoseconds(message)] = message
    while len(messages) > _KEPT:
        messages.popitem(last=False)


def _ids(message) -> np.ndarray:
    """uint8 [H, W] of a mono8 image without row padding, as this package publishes them."""
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width)
