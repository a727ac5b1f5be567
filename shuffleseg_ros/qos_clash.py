"""One warning, naming both sides, where QoS keeps a publisher and a subscription apart.

rclpy's own warning names neither node. The other one's name comes from the ROS graph, which learns
of it a little later than the middleware tells of the clash; so the warning waits for it, for a
short time.
"""

from rclpy.clock import Clock, ClockType
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy, qos_policy_name_from_kind

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

LOOK_PERIOD = 0.1  # seconds between two looks at the graph
LOOKS = 100

# What publishers may offer that is too little for subscriptions which ask for the other.
_CLASHES = {
    "reliability": (ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE),
    "durability": (DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL),
}
_UNKNOWN = "_NODE_NAME_UNKNOWN_"  # rmw's name of a node that the graph has not heard of yet


def subscription_events(node, topic, advice=""):
    """Event callbacks for a subscription of `node` to `topic`, which tell of publishers that clash.

    `advice` goes to the end of the warning: what else can be done on this side.
    """
    return SubscriptionEventCallbacks(incompatible_qos=_ClashWarning(node, topic, False, advice))


def publisher_events(node, topic, advice=""):
    """Event callbacks for a publisher of `node` on `topic`, which tell of clashing subscribers."""
    return PublisherEventCallbacks(incompatible_qos=_ClashWarning(node, topic, True, advice))


class _ClashWarning:
    """Called with an event of the middleware; warns of every other endpoint once."""

    def __init__(self, node, topic, publishing, advice):
        self._node = node
        self._topic = topic
        self._publishing = publishing
        self._advice = advice
        self._told = set()  # gids of the other endpoints
        self._timer = None

    def __call__(self, event):
        self._count = event.total_count  # of endpoints that clashed, from the start on
        self._policy = qos_policy_name_from_kind(event.last_policy_kind)
        self._looks = 0
        if self._timer is None:
            self._look()

    def _look(self):
        self._looks += 1
        last = self._looks >= LOOKS
        for publisher, subscription in self._own_clashes():
            other = subscription if self._publishing else publisher
            gid = bytes(other.endpoint_gid)
            if gid not in self._told and (other.node_name != _UNKNOWN or last):
                self._told.add(gid)
                self._warn(publisher, subscription)
        if len(self._told) < self._count and not last:
            if self._timer is None:
                # On a steady clock: simulated time may stand still.
                self._timer = self._node.create_timer(
                    LOOK_PERIOD, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME)
                )
            return
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
        if not self._told:
            self._log(
                f"{self._policy} keeps a publisher and a subscriber apart; "
                f"see ros2 topic info --verbose {self._topic_name()}"
            )

    def _own_clashes(self):
        """(publisher, subscription) of the topic that clash, one of them this node's."""
        for publisher in self._node.get_publishers_info_by_topic(self._topic):
            for subscription in self._node.get_subscriptions_info_by_topic(self._topic):
                own = publisher if self._publishing else subscription
                if _full_name(own) == self._node.get_fully_qualified_name() and _clashes(
                    publisher, subscription
                ):
                    yield publisher, subscription

    def _warn(self, publisher, subscription):
        clashes = _clashes(publisher, subscription)
        offered = " and ".join(f"{name} {low.name.lower()}" for name, (low, _) in clashes.items())
        asked = " and ".join(f"{name} {high.name.lower()}" for name, (_, high) in clashes.items())
        self._log(
            f"publisher {_full_name(publisher)} offers {offered}, subscriber "
            f"{_full_name(subscription)} asks for {asked}: no message passes between them. "
            f"Let {_full_name(publisher)} offer {asked}, or let {_full_name(subscription)} "
            f"ask for {offered}{self._advice}."
        )

    def _log(self, text):
        self._node.get_logger().warning(f"QoS clash on {self._topic_name()}: {text}")

    def _topic_name(self):
        return self._node.resolve_topic_name(self._topic)


def _clashes(publisher, subscription):
    """The entries of _CLASHES that keep the two apart."""
    return {
        name: (low, high)
        for name, (low, high) in _CLASHES.items()
        if getattr(publisher.qos_profile, name) == low
        and getattr(subscription.qos_profile, name) == high
    }


def _full_name(endpoint):
    if endpoint.node_name == _UNKNOWN:
        return "(unknown node)"
    return f"{endpoint.node_namespace.rstrip('/')}/{endpoint.node_name}"
