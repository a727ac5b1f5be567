"""The SROS 2 policy allows what the nodes have on a real graph, and nothing else."""

# ruff: noqa: E402, F401, F811  (imports follow the skip; `graph` is a fixture)

import contextlib
import os
import socket
import time
from fnmatch import fnmatchcase
from xml.etree import ElementTree

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy): pip install .[ros]")

from rclpy.node import NodeNameNonExistentError

from conftest import ROOT
from ros_graph import RosProcess, graph, wait_until

POLICY = ROOT / "config" / "sros2" / "segmentation_policy.xml"
SINCE_IRON = "/get_type_description"


def allowed(node):
    """The node's expressions, as full names, by what they allow."""
    (profile,) = ElementTree.parse(POLICY).findall(f".//profile[@node='{node}']")
    assert profile.get("ns") == "/"
    found = {}
    for rules in profile:
        for kind, verdict in rules.items():
            assert verdict == "ALLOW"
            names = [rule.text.replace("~", f"/{node}") for rule in rules]
            assert len(set(names)) == len(names)
            found.setdefault(kind, set()).update(names)
    return found


def names_of(graph, node):
    """The topics and services of a running node, by what a policy calls them."""
    ask = graph.node
    return {
        kind: {name for name, _ in listed}
        for kind, listed in {
            "publish": ask.get_publisher_names_and_types_by_node(node, "/"),
            "subscribe": ask.get_subscriber_names_and_types_by_node(node, "/"),
            "reply": ask.get_service_names_and_types_by_node(node, "/"),
            "request": ask.get_client_names_and_types_by_node(node, "/"),
        }.items()
        if listed
    }


def settled_names(graph, node):
    """names_of() once half a second brought nothing new; no event tells when that is all."""
    newest, since = {}, 0.0

    def is_settled():
        nonlocal newest, since
        names = {}
        with contextlib.suppress(NodeNameNonExistentError):
            names = names_of(graph, node)
        if names != newest:
            newest, since = names, time.monotonic()
        return "reply" in newest and time.monotonic() - since > 0.5

    wait_until(is_settled)
    return newest


def compare(seen, node):
    """`seen` is what names_of() gave, several times."""
    rules = allowed(node)
    used = {kind: set() for kind in rules}
    for names in seen:
        assert set(names) <= set(rules)
        for kind in names:
            for name in names[kind]:
                matching = {rule for rule in rules[kind] if fnmatchcase(name, rule)}
                assert matching, f"{node} may not {kind} {name}"
                used[kind] |= matching
    idle = {kind: rules[kind] - used[kind] for kind in rules}
    if os.environ.get("ROS_DISTRO") == "humble":
        idle["reply"] -= {f"/{node}{SINCE_IRON}"}
    assert not any(idle.values()), f"allowed, but {node} has none: {idle}"


def names_of_started(graph, node, parameters, remappings=(), ready=" "):
    """names_of() a node of this package, started for that; `ready` is in its log when it is up."""
    arguments = [word for rule in remappings for word in ("-r", rule)]
    module = "segmentation_node" if node == "segmentation" else node
    with RosProcess(f"shuffleseg_ros.{module}", parameters, arguments) as process:
        process.wait_for_line(ready)
        names = settled_names(graph, node)
        process.assert_clean_end(process.stop())
    return names


def test_the_segmentation_node_has_what_it_may_have(graph, tiny_tflite):
    common = {"model": str(tiny_tflite), "probability_classes": ["sky"]}
    single = names_of_started(
        graph,
        "segmentation",
        {**common, "use_sim_time": True},
        ["image:=/camera/image"],
        "labelling /camera/image",
    )
    several = names_of_started(
        graph,
        "segmentation",
        {**common, "cameras": ["front", "left"], "front.image_transport": "compressed"},
        ready="labelling /front/image",
    )
    assert "/segmentation/front/labels" in several["publish"]
    compare([single, several], "segmentation")


def test_the_drive_player_has_what_it_may_have(graph):
    names = names_of_started(
        graph,
        "drive_player",
        {"publish_clock": True},
        ["image:=camera/image", "camera_info:=camera/camera_info"],
    )
    compare([names], "drive_player")


def test_the_view_has_what_it_may_have(graph):
    pytest.importorskip("rerun", reason="needs Rerun: pip install .[view]")
    with socket.socket() as page, socket.socket() as data:
        page.bind(("127.0.0.1", 0))
        data.bind(("127.0.0.1", 0))
        ports = {"port": page.getsockname()[1], "grpc_port": data.getsockname()[1]}
    single = names_of_started(
        graph,
        "segmentation_view",
        {**ports, "use_sim_time": True},
        ["image:=/camera/image"],
        "open http",
    )
    several = names_of_started(
        graph,
        "segmentation_view",
        {**ports, "cameras": ["front", "left"], "image_transport": "compressed"},
        ready="open http",
    )
    compare([single, several], "segmentation_view")
