"""What the ids in label images mean, as latched messages."""

import json

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

from shuffleseg_core.class_remapping import UNLABELLED

try:
    from vision_msgs.msg import LabelInfo, VisionClass
except ImportError:  # an optional package of ROS 2
    LabelInfo = None

_LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


class LabelInfoPublisher:
    """Publishes `~/label_info` (vision_msgs/LabelInfo where that package is installed, else the
    JSON) and `~/label_info/json` (std_msgs/String), to those who come later too."""

    def __init__(self, node):
        self._node = node
        self._info = node.create_publisher(LabelInfo or String, "~/label_info", _LATCHED)
        self._json = node.create_publisher(String, "~/label_info/json", _LATCHED)

    def publish(self, label_map, model):
        """`model`: the model file's name."""
        text = String(data=label_info_json(label_map, model))
        self._json.publish(text)
        if LabelInfo is None:
            self._info.publish(text)
            return
        info = LabelInfo(
            class_map=[
                VisionClass(class_id=id_, class_name=name)
                for id_, name in enumerate(label_map.names)
            ]
        )
        info.header.stamp = self._node.get_clock().now().to_msg()
        self._info.publish(info)

    def close(self):
        self._node.destroy_publisher(self._info)
        self._node.destroy_publisher(self._json)


def label_info_json(label_map, model):
    """{"classes": [{"id", "name", "color": [r, g, b]}, …], "unlabelled_id", "model"} as text."""
    classes = [
        {"id": id_, "name": name, "color": list(color)}
        for id_, (name, color) in enumerate(zip(label_map.names, label_map.colors))
    ]
    return json.dumps({"classes": classes, "unlabelled_id": UNLABELLED, "model": model})
