"""Subscribes to a camera with the best quality of service that its publishers offer.

Best effort, as in ROS 2's sensor-data profile, connects to every publisher and is how this begins.
But middlewares lose most large images on that way, so where every publisher of the topic offers
reliable delivery, that is used instead. Either way the queue is one frame deep: the newest wins.
"""

from rclpy.clock import Clock, ClockType
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

RELIABILITIES = ("auto", "best_effort", "reliable")
CHECK_PERIOD = 0.5  # seconds between two looks at who publishes


class ImageSubscription:
    """Calls `callback(image)` on the executor's thread.

    reliability: 'auto' follows the publishers (see the module); the others are fixed.
    """

    def __init__(self, node, topic, callback, reliability="auto"):
        self._node = node
        self._topic = topic
        self._callback = callback
        self._subscription = None
        self._subscribe(
            ReliabilityPolicy.RELIABLE
            if reliability == "reliable"
            else ReliabilityPolicy.BEST_EFFORT
        )
        self.topic_name = self._subscription.topic_name
        if reliability == "auto":
            self._timer = node.create_timer(
                CHECK_PERIOD, self._follow_publishers, clock=Clock(clock_type=ClockType.STEADY_TIME)
            )

    def _subscribe(self, reliability):
        old = self._subscription
        self._reliability = reliability
        self._subscription = self._node.create_subscription(
            Image, self._topic, self._callback, QoSProfile(depth=1, reliability=reliability)
        )
        if old is not None:
            self._node.destroy_subscription(old)

    def _follow_publishers(self):
        offered = {
            publisher.qos_profile.reliability
            for publisher in self._node.get_publishers_info_by_topic(self._topic)
        }
        if not offered:
            return
        wanted = (
            ReliabilityPolicy.RELIABLE
            if offered == {ReliabilityPolicy.RELIABLE}
            else ReliabilityPolicy.BEST_EFFORT
        )
        if wanted != self._reliability:
            self._subscribe(wanted)
