"""config/diagnostics_aggregator.yaml against the statuses that the node really publishes."""

# ruff: noqa: E402, F401, F811  (imports follow the skip; `graph` is a fixture)

import re

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy): pip install .[ros]")

import yaml
from diagnostic_msgs.msg import DiagnosticArray

from conftest import ROOT
from ros_graph import RosProcess, graph

CONFIG = ROOT / "config" / "diagnostics_aggregator.yaml"
# How diagnostic_aggregator's GenericAnalyzer matches a name, by parameter.
RULES = {
    "startswith": lambda name, value: name.startswith(value),
    "contains": lambda name, value: value in name,
    "name": lambda name, value: name == value,
    "regex": lambda name, value: re.fullmatch(value, name),
}


def generic_analyzers(parameters):
    """Those of an AnalyzerGroup or of the root, by path."""
    for one in parameters.values():
        if not isinstance(one, dict):
            continue
        kind = one["type"].removeprefix("diagnostic_aggregator/")
        if kind == "AnalyzerGroup":
            yield from generic_analyzers(one["analyzers"])
        else:
            assert kind == "GenericAnalyzer"
            assert set(one) <= {"type", "path", "num_items", "timeout", *RULES}
            # The aggregator takes lists of texts only.
            assert all(isinstance(one[rule], list) for rule in RULES if rule in one)
            yield one["path"], one


def analyzers_of(name):
    with CONFIG.open(encoding="utf-8") as file:
        # The name of the aggregator's node.
        parameters = yaml.safe_load(file)["analyzers"]["ros__parameters"]
    return [
        path
        for path, analyzer in generic_analyzers(parameters)
        if any(RULES[rule](name, value) for rule in RULES for value in analyzer.get(rule, []))
    ]


@pytest.mark.parametrize(
    "namespace, cameras, expected",
    [
        ("/", [""], ["Camera", "Process"]),
        (
            "/robot1",
            ["front", "left", "right"],
            ["Front camera", "Left camera", "Process", "Right camera"],
        ),
    ],
)
def test_every_status_has_one_analyzer(graph, tiny_tflite, namespace, cameras, expected):
    diagnostics = graph.inbox("/diagnostics", DiagnosticArray)
    parameters = {"model": str(tiny_tflite), "cameras": cameras}
    with RosProcess(
        "shuffleseg_ros.segmentation_node", parameters, ["-r", f"__ns:={namespace}"]
    ) as process:
        process.wait_for_line("labelling /")
        array = diagnostics.wait_for(lambda array: len(array.status) == len(cameras) + 1)
        process.assert_clean_end(process.stop())
    diagnostics.close()
    found = [analyzers_of(status.name) for status in array.status]
    assert sorted(found) == [[path] for path in expected]


def test_other_diagnostics_are_left_to_others():
    assert analyzers_of("front_camera: frequency") == analyzers_of("segmentation_node") == []
