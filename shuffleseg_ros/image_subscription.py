"""Subscribes to a camera with the best quality of service that its publishers offer.

Best effort, as in ROS 2's sensor-data profile, connects to every publisher and is how this begins.
But middlewares lose most large images on that way, so where every publisher of the topic offers
reliable delivery, that is used instead. Either way the queue is one frame deep: the newest wins.
At a change the old subscription stays until the new one has delivered, so that no frame is lost.
"""

from rclpy.clock import Clock, ClockType
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from shuffleseg_ros.qos_clash import SubscriptionEventCallbacks, subscription_events
from shuffleseg_ros.sibling_topic import sibling_topic

TRANSPORTS = {"raw": Image, "compressed": CompressedImage}
RELIABILITIES = ("auto", "best_effort", "reliable")
CHECK_PERIOD = 0.5  # seconds between two looks at who publishes


class ImageSubscription:
    """Calls `callback(image)` on the executor's thread.

    reliability: 'auto' follows the publishers (see the module); the others are fixed, and a
    publisher that clashes is warned of. transport: 'raw' brings Image messages of `topic`,
    'compressed' CompressedImage messages of `compressed` below the resolved topic.

    topic_name: the resolved name of what is subscribed.
    """

    def __init__(
        self, node, topic, callback, reliability="auto", transport="raw", callback_group=None
    ):
        if transport != "raw":
            name = f"{topic}/{transport}"
            topic = sibling_topic(node, name, f"{node.resolve_topic_name(topic)}/{transport}")
        self._node = node
        self._topic = topic
        self._message_type = TRANSPORTS[transport]
        self._callback = callback
        self._callback_group = callback_group
        self._last_stamp = None
        self._retiring = None  # the old subscription, until the new one has delivered
        self._reliability = (
            ReliabilityPolicy.RELIABLE
            if reliability == "reliable"
            else ReliabilityPolicy.BEST_EFFORT
        )
        self._timer = None
        if reliability == "auto":
            # A clash is over as soon as this follows the new publisher.
            self._events = SubscriptionEventCallbacks(
                incompatible_qos=lambda _: self._follow_publishers()
            )
        else:
            self._events = subscription_events(node, topic, " (image_reliability: auto)")
        self._subscription = self._subscribe(self._reliability)
        self.topic_name = self._subscription.topic_name
        if reliability == "auto":
            self._timer = node.create_timer(
                CHECK_PERIOD,
                self._follow_publishers,
                clock=Clock(clock_type=ClockType.STEADY_TIME),
                callback_group=callback_group,
            )

    def close(self):
        """To be called on the executor's thread, after which no callback comes any more."""
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
        for subscription in filter(None, (self._subscription, self._retiring)):
            self._node.destroy_subscription(subscription)
        self._subscription = self._retiring = None

    def _subscribe(self, reliability):
        return self._node.create_subscription(
            self._message_type,
            self._topic,
            lambda image: self._receive(image, reliability),
            QoSProfile(depth=1, reliability=reliability),
            event_callbacks=self._events,
            callback_group=self._callback_group,
        )

    def _receive(self, image, reliability):
        if self._subscription is None:
            return  # it was under way when this was closed
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
        if not offered or self._subscription is None:
            return
        wanted = (
            ReliabilityPolicy.RELIABLE
            if offered == {ReliabilityPolicy.RELIABLE}
            else ReliabilityPolicy.BEST_EFFORT
        )
        if wanted != self._reliability:
            self._change(wanted)
