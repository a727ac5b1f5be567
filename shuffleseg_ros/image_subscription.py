"""Subscribes to a camera with the best quality of service that its publishers offer.

Best effort, as in ROS 2's sensor-data profile, connects to every publisher and is how this begins.
But middlewares lose most large images on that way, so where every publisher of the topic offers
reliable delivery, that is used instead. Either way the queue is one frame deep: the newest wins.
At a change the old subscription stays until the new one has delivered, so that no frame is lost.
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
        self._last_stamp = None
        self._retiring = None  # the old subscription, until the new one has delivered
        self._reliability = (
            ReliabilityPolicy.RELIABLE
            if reliability == "reliable"
            else ReliabilityPolicy.BEST_EFFORT
        )
        self._subscription = self._subscribe(self._reliability)
        self.topic_name = self._subscription.topic_name
        if reliability == "auto":
            self._timer = node.create_timer(
                CHECK_PERIOD, self._follow_publishers, clock=Clock(clock_type=ClockType.STEADY_TIME)
            )

    def _subscribe(self, reliability):
        return self._node.create_subscription(
            Image,
            self._topic,
            lambda image: self._receive(image, reliability),
            QoSProfile(depth=1, reliability=reliability),
        )

    def _receive(self, image, reliability):
        stamp = (image.header.stamp.sec, image.header.stamp.nanosec)
        if self._retiring is not None and reliability == self._reliability:
            self._node.destroy_subscription(self._retiring)
            self._retiring = None
            if stamp == self._last_stamp:
                return  # the old subscription has delivered it already
        elif reliability != self._reliability and self._retiring is None:
            return  # it came to the old subscription, too late
        self._last_stamp = stamp
        self._callback(image)

    def _change(self, reliability):
        self._reliability = reliability
        if self._retiring is None:
            self._retiring = self._subscription
            self._subscription = self._subscribe(reliability)
        else:  # back to the old one, before the new one has delivered
            self._node.destroy_subscription(self._subscription)
            self._subscription, self._retiring = self._retiring, None

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
            self._change(wanted)
