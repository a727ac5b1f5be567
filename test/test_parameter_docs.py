"""The parameters' table in the docs and the YAML files are what the nodes declare."""

from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy): pip install .[ros]")

import yaml

from shuffleseg_ros import parameter_docs

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", parameter_docs.documents())
def test_they_are_as_written_by_make_parameters(name):
    assert (ROOT / name).read_text(encoding="utf-8") == parameter_docs.documents()[name]


def test_the_yaml_files_hold_every_parameter_with_its_default():
    texts = parameter_docs.documents()
    for node, file in parameter_docs.YAML_FILES.items():
        written = yaml.safe_load(texts[f"config/{file}"])["/**"]["ros__parameters"]
        declared = {p.name: p.default for p in parameter_docs.NODES[node]}
        assert written == declared
        assert {n: type(v) for n, v in written.items()} == {n: type(v) for n, v in declared.items()}
