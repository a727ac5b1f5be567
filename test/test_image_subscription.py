"""Which topic an ImageSubscription takes, of which type and with which quality of service."""

import array

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

import rclpy
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from ros_graph import graph, image_message, wait_until  # noqa: F401
from shuffleseg_ros.image_conversion import decode
from shuffleseg_ros.image_subscription import ImageSubscription

BEST_EFFORT, RELIABLE = ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE


@pytest.fixture
def make_node(graph):  # noqa: F811
    """make_node(remapping, …): a node of the graph."""
    nodes = []

    def make(*remappings, name="reader", namespace="/robot"):
        arguments = [word for rule in remappings for word in ("-r", rule)]
        node = rclpy.create_node(
            name,
            namespace=namespace,
            context=graph.context,
            cli_args=["--ros-args", *arguments] if arguments else None,
        )
        graph.executor.add_node(node)
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        graph.executor.remove_node(node)
        node.destroy_node()


def camera_image():
    return image_message(np.full((4, 6, 3), 77, np.uint8), "bgr8")


def compressed_image():
    data = cv2.imencode(".png", np.full((4, 6, 3), 77, np.uint8))[1]
    return CompressedImage(format="png", data=array.array("B", data.tobytes()))


def deliver(graph, publisher, message, seen):  # noqa: F811
    """Publish until the message is seen: discovery takes its time."""
    graph.stamp(message)

    def arrived():
        publisher.publish(message)
        return any(m.header.stamp == message.header.stamp for m in seen)

    wait_until(arrived)
    return seen[-1]


@pytest.mark.parametrize(
    "remappings, transport, topic",
    [
        ([], "raw", "/robot/image"),
        (["image:=/camera/image_raw"], "raw", "/camera/image_raw"),
        ([], "compressed", "/robot/image/compressed"),
        # As in image_transport.
        (["image:=/camera/image_raw"], "compressed", "/camera/image_raw/compressed"),
        (["image/compressed:=/phone/jpeg"], "compressed", "/phone/jpeg"),
        (["image:=/camera/a", "image/compressed:=/phone/jpeg"], "compressed", "/phone/jpeg"),
        (["/robot/image:=/b", "/b:=/c"], "compressed", "/b/compressed"),
    ],
)
def test_topic_and_type_of_each_transport(graph, make_node, remappings, transport, topic):  # noqa: F811
    node, seen = make_node(*remappings), []
    subscription = ImageSubscription(node, "image", seen.append, transport=transport)
    assert subscription.topic_name == topic
    if transport == "raw":
        publisher, message = graph.publisher(topic, Image), camera_image()
    else:
        publisher, message = graph.publisher(topic, CompressedImage), compressed_image()
    received = deliver(graph, publisher, message, seen)
    assert type(received) is type(message)
    if transport == "compressed":
        assert np.array_equal(decode(received)[0], np.full((4, 6, 3), 77))
    graph.node.destroy_publisher(publisher)


def test_compressed_delivery_is_as_reliable_as_all_publishers_offer(graph, make_node):  # noqa: F811
    def subscribed():
        infos = graph.node.get_subscriptions_info_by_topic("/camera/image/compressed")
        return [info.qos_profile.reliability for info in infos]

    def settle(publisher, reliability):
        def settled():
            publisher.publish(graph.stamp(compressed_image()))
            return subscribed() == [reliability]

        wait_until(settled)

    node, seen = make_node("image:=/camera/image"), []
    ImageSubscription(node, "image", seen.append, transport="compressed")
    publisher = graph.publisher("/camera/image/compressed", CompressedImage, RELIABLE)
    settle(publisher, RELIABLE)
    other = graph.publisher("/camera/image/compressed", CompressedImage, BEST_EFFORT)
    settle(other, BEST_EFFORT)
    deliver(graph, publisher, compressed_image(), seen)
    deliver(graph, other, compressed_image(), seen)
    graph.node.destroy_publisher(publisher)
    graph.node.destroy_publisher(other)


def test_closed_it_leaves_the_graph(graph, make_node):  # noqa: F811
    node, seen = make_node(), []
    subscription = ImageSubscription(node, "image", seen.append)
    publisher = graph.publisher("/robot/image")
    deliver(graph, publisher, camera_image(), seen)
    graph.executor.create_task(subscription.close)
    wait_until(lambda: graph.node.count_subscribers("/robot/image") == 0)
    # A publisher that it would follow brings it not back.
    other = graph.publisher("/robot/image", reliability=BEST_EFFORT)
    subscription._follow_publishers()
    assert list(node.subscriptions) == [] and list(node.timers) == []
    graph.node.destroy_publisher(publisher)
    graph.node.destroy_publisher(other)
