"""The launch files and what they name: executables, parameters, files, topics.

Run under the real launch system where that is installed, which no Python package index offers;
elsewhere the launch files are read with light stand-ins for it.
"""

# ruff: noqa: E402, F401, F811  (imports follow the skip; `graph` is a fixture)

import importlib
import importlib.util
import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy): pip install .[ros]")

import yaml

from ros_graph import graph, wait_until
from shuffleseg_ros import drive_player, segmentation_node

REPOSITORY = Path(__file__).resolve().parents[1]
PARAMETERS = {
    "segmentation_node": segmentation_node.PARAMETERS,
    "drive_player": drive_player.PARAMETERS,
}


@pytest.mark.parametrize(
    "file, executable",
    [("segmentation.yaml", "segmentation_node"), ("drive_player.yaml", "drive_player")],
)
def test_the_yaml_files_hold_every_parameter_with_its_default(file, executable):
    text = (REPOSITORY / "config" / file).read_text()
    written = yaml.safe_load(text)["/**"]["ros__parameters"]
    declared = {parameter.name: parameter.default for parameter in PARAMETERS[executable]}
    assert written == declared
    assert {name: type(value) for name, value in written.items()} == {
        name: type(value) for name, value in declared.items()
    }


def test_rviz_shows_camera_colours_and_overlay():
    config = yaml.safe_load((REPOSITORY / "config" / "segmentation.rviz").read_text())
    displays = config["Visualization Manager"]["Displays"]
    assert {display["Class"] for display in displays} == {"rviz_default_plugins/Image"}
    topics = {display["Topic"]["Value"]: display["Topic"] for display in displays}
    assert set(topics) == {"/camera/image", "/segmentation/color", "/segmentation/overlay"}
    assert topics["/camera/image"]["Reliability Policy"] == "Best Effort"


# Stand-ins for launch and launch_ros: they remember what they were made with.


class Thing:
    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs


class LaunchConfiguration(Thing):
    def perform(self, context):
        return context[self.args[0]]


class Everything(types.ModuleType):
    """A module in which every name is a class of its own."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        thing = LaunchConfiguration if name == "LaunchConfiguration" else type(name, (Thing,), {})
        setattr(self, name, thing)
        return thing


@pytest.fixture
def load(monkeypatch):
    for name in (
        "launch",
        "launch.actions",
        "launch.conditions",
        "launch.substitutions",
        "launch.launch_description_sources",
        "launch_ros",
        "launch_ros.actions",
        "launch_ros.substitutions",
        "launch_ros.parameter_descriptions",
    ):
        monkeypatch.setitem(sys.modules, name, Everything(name))

    def load(file):
        spec = importlib.util.spec_from_file_location(
            file.partition(".")[0] + "_launch", REPOSITORY / "launch" / file
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.generate_launch_description().args[0]

    return load


def of_kind(entities, kind):
    return [entity for entity in entities if type(entity).__name__ == kind]


def names_and_defaults(entities):
    return {
        entity.args[0]: entity.kwargs["default_value"]
        for entity in of_kind(entities, "DeclareLaunchArgument")
    }


def parts(join):
    """The path that a PathJoinSubstitution names inside the package."""
    assert join.args[0][0].args == ("shuffleseg_ros",)
    return REPOSITORY.joinpath(*join.args[0][1:])


def check_node(node):
    assert node.kwargs["package"] == "shuffleseg_ros"
    executable = node.kwargs["executable"]
    assert callable(importlib.import_module(f"shuffleseg_ros.{executable}").main)
    declared = {parameter.name for parameter in PARAMETERS[executable]}
    for given in node.kwargs["parameters"]:
        if isinstance(given, dict):
            assert set(given) <= declared


def test_segmentation_launch(load):
    entities = load("segmentation.launch.py")
    defaults = names_and_defaults(entities)
    assert set(defaults) == {
        "image",
        "model",
        "num_threads",
        "params_file",
        "namespace",
        "log_level",
    }
    assert parts(defaults["params_file"]).is_file()
    (opaque,) = of_kind(entities, "OpaqueFunction")
    for model, threads, given in (
        ("", "", []),
        ("m.tflite", "", ["model"]),
        ("m.tflite", "4", ["model", "num_threads"]),
    ):
        (node,) = opaque.kwargs["function"]({"model": model, "num_threads": threads})
        check_node(node)
        overrides = [key for one in node.kwargs["parameters"][1:] for key in one]
        assert overrides == given
        assert node.kwargs["remappings"][0][0] == "image"


def test_replay_launch(load):
    entities = load("replay.launch.py")
    defaults = names_and_defaults(entities)
    assert {"drive", "topic", "rate", "loop", "model", "num_threads", "rviz"} <= set(defaults)
    (included,) = of_kind(entities, "IncludeLaunchDescription")
    assert parts(included.args[0].args[0]).is_file()
    passed = {name for name, _ in included.kwargs["launch_arguments"]}
    assert passed <= set(names_and_defaults(load("segmentation.launch.py")))
    player, rviz = of_kind(entities, "Node")
    check_node(player)
    assert parts(player.kwargs["parameters"][0]).is_file()
    assert rviz.kwargs["package"] == "rviz2" and rviz.kwargs["condition"]
    assert parts(rviz.kwargs["arguments"][1]).is_file()


LAUNCHER = """
import sys
from launch import LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
service = LaunchService(argv=[])
service.include_launch_description(IncludeLaunchDescription(
    PythonLaunchDescriptionSource(sys.argv[1]),
    launch_arguments=[argument.split(':=', 1) for argument in sys.argv[2:]]))
sys.exit(service.run())
"""


@pytest.fixture
def launch(tmp_path):
    """Starts a launch file under the real launch system, with the package as if installed."""
    pytest.importorskip("launch_ros", reason="needs the ROS 2 launch system")
    share = tmp_path / "share"
    (share / "ament_index/resource_index/packages").mkdir(parents=True)
    (share / "ament_index/resource_index/packages/shuffleseg_ros").touch()
    (share / "shuffleseg_ros").mkdir()
    for folder in ("launch", "config"):
        (share / "shuffleseg_ros" / folder).symlink_to(REPOSITORY / folder)
    executables = tmp_path / "lib/shuffleseg_ros"
    executables.mkdir(parents=True)
    for name in PARAMETERS:
        script = executables / name
        script.write_text(
            f"#!{sys.executable}\nimport sys\n"
            f"from shuffleseg_ros.{name} import main\nsys.exit(main())\n"
        )
        script.chmod(0o755)
    prefixes = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("AMENT_PREFIX_PATH")]))
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    environment = {
        **os.environ,
        "AMENT_PREFIX_PATH": prefixes,
        "PYTHONPATH": path,
        "ROS_LOG_DIR": str(tmp_path / "log"),
    }
    started = []

    def launch(file, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, str(REPOSITORY / "launch" / file), *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield launch
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(30)
        process.stdout.close()


def test_replay_under_the_real_launch_system(launch, graph, tiny_tflite):
    labels = graph.inbox("/segmentation/labels")
    process = launch("replay.launch.py", f"model:={tiny_tflite}", "rate:=30.0")
    assert len(labels.wait_for_count(20, timeout=60)) >= 20
    output, _ = process.communicate(timeout=90)  # it ends by itself when the drive is over
    assert process.returncode == 0 and "played 300 frames" in output
    assert "Traceback" not in output
    labels.close()


def test_segmentation_under_the_real_launch_system(launch, graph, tiny_tflite, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(f"/**:\n  ros__parameters:\n    model: {tiny_tflite}\n    num_threads: 3\n")
    process = launch(
        "segmentation.launch.py",
        f"params_file:={own}",
        "namespace:=front",
        "image:=/front/image_raw",
    )
    publisher = graph.publisher("/front/image_raw")
    wait_until(lambda: publisher.get_subscription_count() > 0)
    names = dict(graph.node.get_topic_names_and_types())
    assert "/front/segmentation/labels" in names
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert "11 classes, 3 threads" in output and "Traceback" not in output
    graph.node.destroy_publisher(publisher)


def test_docs_name_every_parameter():
    text = (REPOSITORY / "docs" / "nodes.md").read_text(encoding="utf-8")
    for parameters in PARAMETERS.values():
        for parameter in parameters:
            assert f"`{parameter.name}`" in text, parameter.name
