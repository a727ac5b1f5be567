"""Clashing QoS on a real graph: one warning that names both sides."""

import contextlib
import itertools
import re
import sys
import types

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

import rclpy
from rcl_interfaces.msg import Log
from rclpy.qos import QoSPolicyKind, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from ros_graph import RosProcess, graph, wait_until  # noqa: F401
from shuffleseg_ros.image_subscription import ImageSubscription
from shuffleseg_ros.qos_clash import publisher_events, subscription_events

# A node of another process: name, kind of endpoint, topic and QoS.
OTHER = """
import sys, rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
name, kind, topic, reliability, durability = sys.argv[1:6]
qos = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy[reliability],
    durability=DurabilityPolicy[durability],
)
rclpy.init(args=sys.argv)
node = rclpy.create_node(name, namespace="/other")
if kind == "publisher":
    node.create_publisher(Image, topic, qos)
else:
    node.create_subscription(Image, topic, lambda message: None, qos)
rclpy.spin(node)
"""


@contextlib.contextmanager
def other_process(*arguments):
    """One that says good-bye: what a killed one leaves in the graph would disturb other tests."""
    with RosProcess([sys.executable, "-c", OTHER, *arguments]) as process:
        yield
        process.stop()


@pytest.fixture
def node(graph, numbers=itertools.count()):  # noqa: B008, F811
    # A name of its own: /rosout is lost to a name of which another node ends.
    name = f"labeller_{next(numbers)}"
    node = rclpy.create_node(name, namespace="/robot", context=graph.context)
    graph.executor.add_node(node)
    yield node
    graph.executor.remove_node(node)
    node.destroy_node()


class Warnings:
    """The node's log, as everyone can read it on /rosout."""

    def __init__(self, node, inbox):
        self._logger = node.get_logger().name
        self._inbox = inbox

    def of_qos(self):
        texts = [m.msg for m in self._inbox.messages() if m.name == self._logger]
        return [text for text in texts if "QoS" in text]

    def wait_for(self, words):
        found = self._inbox.wait_for(lambda m: m.name == self._logger and words in m.msg)
        assert found is not None, [m.msg for m in self._inbox.messages()]
        assert "\n" not in found.msg
        return found.msg


@pytest.fixture
def warnings(graph, node):  # noqa: F811
    inbox = graph.inbox("/rosout", Log)
    wait_until(lambda: node.count_subscribers("/rosout") > 0)
    yield Warnings(node, inbox)
    inbox.close()


@pytest.mark.parametrize("transport, topic", [("raw", ""), ("compressed", "/compressed")])
def test_a_best_effort_camera_of_a_reliable_subscription(
    graph,  # noqa: F811
    node,
    warnings,
    transport,
    topic,
):
    kind = Image if transport == "raw" else CompressedImage
    ImageSubscription(node, "image", print, reliability="reliable", transport=transport)
    publisher = graph.publisher(
        f"/robot/image{topic}", kind, reliability=ReliabilityPolicy.BEST_EFFORT
    )
    text = warnings.wait_for("QoS clash")
    own = node.get_fully_qualified_name()
    assert text == (
        f"QoS clash on /robot/image{topic}: publisher /test_probe offers reliability best_effort, "
        f"subscriber {own} asks for reliability reliable: no message passes between "
        f"them. Let /test_probe offer reliability reliable, or let {own} ask for "
        "reliability best_effort (image_reliability: auto)."
    )
    graph.node.destroy_publisher(publisher)


def test_each_clashing_subscriber_of_an_output_is_told_of_once(node, warnings):
    topic = "~/labels"
    volatile = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    node.create_publisher(Image, topic, volatile, event_callbacks=publisher_events(node, topic))
    name = f"{node.get_fully_qualified_name()}/labels"
    with other_process("recorder", "subscription", name, "BEST_EFFORT", "TRANSIENT_LOCAL"):
        text = warnings.wait_for("/other/recorder")
        own = node.get_fully_qualified_name()
        assert f"QoS clash on {name}: publisher {own} offers durability volatile" in text
        assert "/other/recorder asks for durability transient_local" in text
        with other_process("viewer", "subscription", name, "RELIABLE", "TRANSIENT_LOCAL"):
            text = warnings.wait_for("/other/viewer")
            assert "offers reliability best_effort and durability volatile" in text
            assert "asks for reliability reliable and durability transient_local" in text
    assert len(warnings.of_qos()) == 2


def test_a_camera_of_another_process_that_clashes(node, warnings):
    ImageSubscription(node, "image", print, reliability="reliable")
    with other_process("camera", "publisher", "/robot/image", "BEST_EFFORT", "VOLATILE"):
        text = warnings.wait_for("/other/camera")
        assert f"subscriber {node.get_fully_qualified_name()} asks" in text
    assert len(warnings.of_qos()) == 1


def test_what_the_subscription_follows_is_no_clash(graph, node, warnings):  # noqa: F811
    ImageSubscription(node, "image", print)
    reliable = graph.publisher("/robot/image")

    def subscribed():
        infos = graph.node.get_subscriptions_info_by_topic("/robot/image")
        return [info.qos_profile.reliability for info in infos]

    def settled(publisher, reliability):
        publisher.publish(graph.stamp(Image()))
        return subscribed() == [reliability]

    wait_until(lambda: settled(reliable, ReliabilityPolicy.RELIABLE))
    other = graph.publisher("/robot/image", reliability=ReliabilityPolicy.BEST_EFFORT)
    wait_until(lambda: settled(other, ReliabilityPolicy.BEST_EFFORT))
    node.get_logger().warning("the end")
    warnings.wait_for("the end")
    assert warnings.of_qos() == []
    graph.node.destroy_publisher(reliable)
    graph.node.destroy_publisher(other)


class FakeNode:
    """Takes the place of rclpy's, so that the graph knows what and when the test wants."""

    def __init__(self):
        self.publishers, self.log, self.look = [], [], None

    def get_publishers_info_by_topic(self, topic):
        return self.publishers

    def get_subscriptions_info_by_topic(self, topic):
        return [endpoint("labeller", ReliabilityPolicy.RELIABLE)]

    def get_fully_qualified_name(self):
        return "/labeller"

    def resolve_topic_name(self, topic):
        return f"/{topic}"

    def get_logger(self):
        return types.SimpleNamespace(warning=self.log.append)

    def create_timer(self, period, callback, clock):
        assert self.look is None
        self.look = callback
        return "timer"

    def destroy_timer(self, timer):
        assert timer == "timer"
        self.look = None


def endpoint(name, reliability):
    return types.SimpleNamespace(
        node_namespace="/",
        node_name=name,
        endpoint_gid=[len(name)] * 16,
        qos_profile=QoSProfile(depth=1, reliability=reliability),
    )


def clash(count):
    return types.SimpleNamespace(
        total_count=count, last_policy_kind=QoSPolicyKind.RELIABILITY, total_count_change=1
    )


def test_the_warning_waits_until_the_graph_knows_the_name():
    fake = FakeNode()
    on_event = subscription_events(fake, "image").incompatible_qos
    on_event(clash(1))
    fake.look()  # the graph knows nothing yet
    unnamed = endpoint("_NODE_NAME_UNKNOWN_", ReliabilityPolicy.BEST_EFFORT)
    fake.publishers = [endpoint("good", ReliabilityPolicy.RELIABLE), unnamed]
    fake.look()
    assert fake.log == []
    unnamed.node_name = "camera"
    fake.look()
    (text,) = fake.log
    assert "publisher /camera offers reliability best_effort" in text
    assert fake.look is None
    # The next one, with the first still there.
    on_event(clash(2))
    fake.look()
    fake.publishers.append(endpoint("second_camera", ReliabilityPolicy.BEST_EFFORT))
    fake.look()
    assert len(fake.log) == 2 and "publisher /second_camera offers" in fake.log[1]
    assert fake.look is None


@pytest.mark.parametrize(
    "publishers, words",
    [
        (["_NODE_NAME_UNKNOWN_"], "publisher .unknown node. offers reliability best_effort"),
        ([], "QoS clash on /image: RELIABILITY keeps .* topic info --verbose /image"),
    ],
)
def test_a_name_that_never_comes_is_not_waited_for_for_ever(publishers, words):
    fake = FakeNode()
    fake.publishers = [endpoint(name, ReliabilityPolicy.BEST_EFFORT) for name in publishers]
    subscription_events(fake, "image").incompatible_qos(clash(1))
    while fake.look is not None:
        assert fake.log == []
        fake.look()
    (text,) = fake.log
    assert re.search(words, text)
