"""The launch files and what they name: executables, parameters, files, topics.

Run under the real launch system where that is installed, which no Python package index offers;
elsewhere the launch files are read with light stand-ins for it.
"""

# ruff: noqa: E402, F401, F811  (imports follow the skip; `graph` is a fixture)

import importlib
import importlib.util
import json
import os
import shutil
import signal
import sys
import types
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy): pip install .[ros]")

import cv2
import numpy as np
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import GetState

from ros_graph import RosProcess, graph, wait_until
from shuffleseg_core.frame_source import Frame
from shuffleseg_ros import drive_player, segmentation_node
from shuffleseg_ros.bag import write_bag

REPOSITORY = Path(__file__).resolve().parents[1]
LAUNCH_FILES = sorted(path.name for path in (REPOSITORY / "launch").glob("*.launch.py"))
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


def test_the_parameters_of_several_cameras_exist():
    text = (REPOSITORY / "config" / "multi_camera.yaml").read_text(encoding="utf-8")
    written = yaml.safe_load(text)["/**"]["ros__parameters"]
    declared = {parameter.name: parameter for parameter in PARAMETERS["segmentation_node"]}
    for camera in written["cameras"]:
        for name, value in written.pop(camera).items():
            assert type(value) is type(declared[name].default) and declared[name].per_camera
    for name, value in written.items():
        assert type(value) is type(declared[name].default)


def test_rviz_shows_camera_colours_and_overlay():
    config = yaml.safe_load((REPOSITORY / "config" / "segmentation.rviz").read_text())
    displays = config["Visualization Manager"]["Displays"]
    assert {display["Class"] for display in displays} == {"rviz_default_plugins/Image"}
    topics = {display["Topic"]["Value"]: display["Topic"] for display in displays}
    assert set(topics) == {
        "/camera/image",
        *(f"/segmentation/{output}" for output in ("color", "overlay", "confidence")),
    }
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


def things(value, kind=""):
    """Every Thing of a kind (a class's name; all of them by default) in `value`, and in those."""
    if isinstance(value, Thing):
        if type(value).__name__ == kind or not kind:
            yield value
        value = [value.args, value.kwargs]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from things(one, kind)


def included(entities):
    """(name of a launch file, the arguments that it is given), for every include."""
    for include in things(entities, "IncludeLaunchDescription"):
        yield (
            path_of(include.args[0].args[0]).name,
            dict(include.kwargs.get("launch_arguments", [])),
        )


def path_of(join):
    """The path that a PathJoinSubstitution names inside the package."""
    assert join.args[0][0].args == ("shuffleseg_ros",)
    return REPOSITORY.joinpath(*join.args[0][1:])


def arguments(load, file):
    """The arguments of a launch file and of those that it includes, with their defaults."""
    entities, found = load(file), {}
    for name, given in included(entities):
        inner = arguments(load, name)
        assert set(given) <= set(inner)
        found.update(inner, **given)
    for argument in things(entities, "DeclareLaunchArgument"):
        assert argument.kwargs["description"]
        found[argument.args[0]] = argument.kwargs.get("default_value")
    return found


def actions(load, file, **given):
    """All that a launch file starts, includes and functions carried out; arguments as given."""
    context = {
        name: path_of(default)
        if isinstance(default, Thing) and default.args[0] != "clock"
        else "false"
        if isinstance(default, Thing)
        else default
        for name, default in {**arguments(load, file), **given}.items()
    }
    todo, done = [load(file)], []
    while todo:
        entities = todo.pop()
        done.append(entities)
        todo += [load(name) for name, _ in included(entities)]
        todo += [f.kwargs["function"](context) for f in things(entities, "OpaqueFunction")]
    return done


@pytest.mark.parametrize("file", LAUNCH_FILES)
def test_what_launch_files_name_exists(load, file):
    declared = arguments(load, file)
    started = actions(load, file)
    assert {thing.args[0] for thing in things(started, "LaunchConfiguration")} <= set(declared)
    for join in things(started, "PathJoinSubstitution"):
        assert path_of(join).is_file(), path_of(join)
    for node in things(started, "Node"):
        executable = node.kwargs["executable"]
        if node.kwargs["package"] == "shuffleseg_ros":
            assert f'"{executable} = ' in (REPOSITORY / "setup.py").read_text(encoding="utf-8")
            module = importlib.import_module(f"shuffleseg_ros.{executable}")
            known = {parameter.name for parameter in module.PARAMETERS} | {"use_sim_time"}
            for given in node.kwargs["parameters"]:
                if isinstance(given, dict):
                    assert set(given) <= known
        assert node.kwargs["namespace"].args == ("namespace",)


@pytest.mark.parametrize("file", LAUNCH_FILES)
def test_arguments_that_all_launch_files_have(load, file):
    defaults = arguments(load, file)
    assert {
        *("namespace", "model", "num_threads", "params_file", "log_level", "autostart"),
        *("respawn", "use_sim_time", "rviz", "view", "image_transport"),
    } <= set(defaults)
    # The drive's end is the end; a robot's node comes back.
    assert defaults["respawn"] == ("false" if "bag" in defaults or "drive" in defaults else "true")


@pytest.mark.parametrize(
    "given, parameters",
    [
        ({}, set()),
        ({"model": "m.tflite"}, {"model"}),
        ({"num_threads": "4", "autostart": "false"}, {"num_threads", "autostart"}),
        ({"cameras": "front,left"}, {"cameras"}),
    ],
)
def test_an_empty_argument_does_not_hide_the_parameter_file(load, given, parameters):
    started = things(actions(load, "segmentation.launch.py", **given), "Node")
    node = next(node for node in started if node.kwargs["executable"] == "segmentation_node")
    file, *overrides = node.kwargs["parameters"]
    assert file.args == ("params_file",)
    assert {name for one in overrides for name in one} == parameters


LAUNCHER = """
import sys
from launch import LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
service = LaunchService(argv=[])
service.include_launch_description(IncludeLaunchDescription(
    PythonLaunchDescriptionSource(sys.argv[1]),
    launch_arguments=[argument.split(':=', 1) for argument in sys.argv[2:] if ':=' in argument]))
sys.exit(service.run())
"""

# In place of programs with a screen: tells what it was started with, and ends as nodes do.
STAND_IN = """
import json, sys, rclpy
from rclpy.executors import ExternalShutdownException
rclpy.init(args=sys.argv)
node = rclpy.create_node("stand_in", automatically_declare_parameters_from_overrides=True)
topics = {topics}
print("started with", json.dumps({{
    "name": node.get_fully_qualified_name(),
    "arguments": rclpy.utilities.remove_ros_args(sys.argv)[1:],
    "topics": {{topic: node.resolve_topic_name(topic) for topic in topics}},
    "parameters": {{name: p.value for name, p in node.get_parameters_by_prefix("").items()}},
}}), flush=True)
try:
    rclpy.spin(node)
except (KeyboardInterrupt, ExternalShutdownException):
    pass
"""
RVIZ_TOPICS = [
    *("/camera/image", "/segmentation/color", "/segmentation/overlay"),
    *("/front/image", "/left/image", "/segmentation/front/color", "/segmentation/left/overlay"),
]
# `ros2 bag play` as far as the launch file goes, where there is no ROS 2 installation.
BAG_PLAY = """
import argparse, sys
from shuffleseg_ros import drive_player
parser = argparse.ArgumentParser()
parser.add_argument("words", nargs=2)
parser.add_argument("bag")
parser.add_argument("--rate", type=float)
parser.add_argument("--clock", type=float)
parser.add_argument("--loop", action="store_true")
parser.add_argument("--disable-keyboard-controls", action="store_true")
given = parser.parse_args()
assert given.words == ["bag", "play"] and given.clock and given.rate == 1.0
sys.exit(drive_player.main([
    *("bag_play", "--ros-args", "-r", "image:=/camera/image", "-p", "publish_clock:=true"),
    *("-p", f"drive:={given.bag}", "-p", f"loop:={str(given.loop).lower()}"),
]))
"""


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """Starts a launch file under the real launch system, with the package as if installed."""
    pytest.importorskip("launch_ros", reason="needs the ROS 2 launch system")
    prefix = tmp_path / "prefix"
    share = prefix / "share"
    (share / "ament_index/resource_index/packages").mkdir(parents=True)
    (share / "shuffleseg_ros").mkdir()
    for folder in ("launch", "config"):
        (share / "shuffleseg_ros" / folder).symlink_to(REPOSITORY / folder)
    programs = {
        ("shuffleseg_ros", name): f"import sys; from shuffleseg_ros.{name} import main\n"
        "sys.exit(main())\n"
        for name in PARAMETERS
    }
    programs["shuffleseg_ros", "segmentation_view"] = STAND_IN.format(
        topics=["image", "front/image", "left/image", "segmentation/labels"]
    )
    programs["rviz2", "rviz2"] = STAND_IN.format(topics=RVIZ_TOPICS)
    if shutil.which("ros2") is None:
        programs["", "ros2"] = BAG_PLAY
        monkeypatch.setenv("PATH", f"{prefix}/lib", prepend=os.pathsep)
    for (package, name), text in programs.items():
        if package:
            (share / "ament_index/resource_index/packages" / package).touch()
        program = prefix / "lib" / package / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!{sys.executable}\n{text}")
        program.chmod(0o755)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(prefix), prepend=os.pathsep)
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path / "log"))
    started = []

    def launch(file, *arguments):
        command = [sys.executable, "-c", LAUNCHER, str(REPOSITORY / "launch" / file)]
        process = RosProcess([*command, *arguments])
        started.append(process)
        return process

    yield launch
    for process in started:
        with process:
            process.stop()  # a launch that was killed would leave its nodes behind


def stop(process):
    assert process.stop() == 0, "\n".join(process.lines)
    assert "Traceback" not in "\n".join(process.lines)


def started_with(process, program):
    line = process.wait_for_line(rf"\[{program}-\d+\] started with")
    return json.loads(line.partition("started with ")[2])


def player(namespace, **parameters):
    return RosProcess(
        "shuffleseg_ros.drive_player",
        {"width": 160, "height": 90, "rate": 10.0, "loop": True, **parameters},
        ["-r", f"__ns:={namespace}"],
    )


def street_bag(path, count=20):
    """A rosbag2 of 10 Hz that begins 1000 s after 1970; the stamps of its images in seconds."""
    images = np.random.default_rng(0).integers(0, 256, (count, 48, 64, 3), np.uint8)
    write_bag([Frame(str(i), image) for i, image in enumerate(images)], path, rate=10, start=1000.0)
    return [round(1000 + i / 10, 3) for i in range(count)]


def seconds(message):
    return round(message.header.stamp.sec + message.header.stamp.nanosec / 1e9, 3)


def test_replay_under_the_real_launch_system(launch, graph, tiny_tflite):
    labels = graph.inbox("/segmentation/labels")
    process = launch("replay.launch.py", f"model:={tiny_tflite}", "rate:=30.0")
    assert len(labels.wait_for_count(20, timeout=60)) >= 20
    assert process.wait(90) == 0  # it ends by itself when the drive is over
    process.wait_for_line("played 300 frames")
    assert "Traceback" not in "\n".join(process.lines)
    labels.close()


def test_replay_of_a_bag_by_its_own_time(launch, graph, tiny_tflite, tmp_path):
    pytest.importorskip("rosbags")
    stamps = street_bag(tmp_path / "bag")
    labels = graph.inbox("/robot1/segmentation/labels")
    process = launch(
        "replay.launch.py",
        *(f"drive:={tmp_path / 'bag'}", f"model:={tiny_tflite}"),
        *("clock:=true", "loop:=true", "namespace:=robot1", "encoding:=bgr8"),
    )
    received = [seconds(message) for message in labels.wait_for_count(45, timeout=60)]
    assert set(received) <= set(stamps)
    # The time goes back with each round, and the node goes on.
    assert sum(after < before for before, after in zip(received, received[1:])) >= 2
    stop(process)
    labels.close()


def test_replay_of_a_video(launch, graph, tiny_tflite, tmp_path):
    path = str(tmp_path / "drive.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no videos")
    for value in range(0, 200, 10):
        writer.write(np.full((48, 64, 3), value, np.uint8))
    writer.release()
    labels = graph.inbox("/segmentation/labels")
    process = launch("replay.launch.py", f"drive:={path}", f"model:={tiny_tflite}")
    assert process.wait(60) == 0
    process.wait_for_line("played 20 frames")
    assert labels.wait_for_count(10)
    labels.close()


def test_a_bag_under_ros2_bag_play(launch, graph, tiny_tflite, tmp_path):
    pytest.importorskip("rosbags")
    stamps = street_bag(tmp_path / "bag", count=40)
    labels = graph.inbox("/segmentation/labels")
    diagnostics = graph.inbox("/diagnostics", DiagnosticArray)
    process = launch("bag.launch.py", f"bag:={tmp_path / 'bag'}", f"model:={tiny_tflite}")
    received = [seconds(message) for message in labels.wait_for_count(10, timeout=60)]
    assert len(received) >= 10 and set(received) <= set(stamps)
    # The node's own time is the bag's.
    assert diagnostics.wait_for(lambda message: stamps[0] <= seconds(message) <= stamps[-1])
    assert process.wait(60) == 0, "\n".join(process.lines)
    labels.close()
    diagnostics.close()


def test_a_launch_without_its_bag_says_so(launch):
    process = launch("bag.launch.py")
    assert process.wait(30) != 0
    assert any("bag" in line and "ERROR" in line for line in process.lines)


def test_segmentation_under_the_real_launch_system(launch, graph, tiny_tflite, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(f"/**:\n  ros__parameters:\n    model: {tiny_tflite}\n    num_threads: 3\n")
    process = launch(
        "segmentation.launch.py",
        *(f"params_file:={own}", "namespace:=robot1", "image:=/front/image_raw"),
        *("use_sim_time:=true", "image_transport:=raw", "rviz:=true", "view:=true"),
    )
    publisher = graph.publisher("/front/image_raw")
    wait_until(lambda: publisher.get_subscription_count() > 0)
    assert "/robot1/segmentation/labels" in dict(graph.node.get_topic_names_and_types())
    process.wait_for_line("11 classes, 3 threads")
    rviz = started_with(process, "rviz2")
    assert rviz["arguments"][0] == "-d"
    assert Path(rviz["arguments"][1]).samefile(REPOSITORY / "config" / "segmentation.rviz")
    assert rviz["name"] == "/robot1/rviz2" and rviz["parameters"]["use_sim_time"]
    for topic, real in {
        "/camera/image": "/front/image_raw",
        "/segmentation/color": "/robot1/segmentation/color",
        "/segmentation/overlay": "/robot1/segmentation/overlay",
    }.items():
        assert rviz["topics"][topic] == real
    view = started_with(process, "segmentation_view")
    for name, value in {
        "cameras": [""],
        "node": "segmentation",
        "bind": "127.0.0.1",
        "image_transport": "raw",
        "use_sim_time": True,
    }.items():
        assert view["parameters"][name] == value
    assert view["topics"]["image"] == "/front/image_raw"
    assert view["topics"]["segmentation/labels"] == "/robot1/segmentation/labels"
    stop(process)
    graph.node.destroy_publisher(publisher)


def test_a_killed_node_comes_back_and_labels(launch, graph, tiny_tflite):
    labels = graph.inbox("/segmentation/labels")
    process = launch("segmentation.launch.py", f"model:={tiny_tflite}")
    line = process.wait_for_line(r"\[segmentation_node-1\]: process started with pid \[\d+\]")
    with player("/camera"):
        assert labels.wait_for_count(5, timeout=60)
        os.kill(int(line.rpartition("[")[2].rstrip("]")), signal.SIGKILL)
        process.wait_for_line("process has died")
        labels.clear()
        assert len(labels.wait_for_count(5, timeout=60)) >= 5
    stop(process)
    labels.close()


def test_autostart_can_be_left_to_others(launch, graph, tiny_tflite):
    # A namespace of its own: the graph shows a killed node's services for some time yet.
    process = launch(
        "segmentation.launch.py",
        *(f"model:={tiny_tflite}", "namespace:=managed", "autostart:=false"),
    )
    service = "/managed/segmentation/get_state"
    state = graph.call(GetState, service, GetState.Request()).current_state
    assert state.label == "unconfigured"
    stop(process)


def test_several_cameras_with_parameters_of_their_own(launch, graph, tiny_tflite, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(
        f"""
/**:
  ros__parameters:
    cameras: [front, left]
    model: {tiny_tflite}
    front: {{roi: "0,45,160,45"}}
    left: {{output_size: network}}
"""
    )
    front = graph.inbox("/robot1/segmentation/front/labels")
    left = graph.inbox("/robot1/segmentation/left/labels")
    process = launch(
        "multi_camera.launch.py",
        *(f"params_file:={own}", "namespace:=robot1", "image:=left=/cam2/image"),
        *("rviz:=true", "view:=true"),
    )
    with player("/robot1/front"), player("/cam2"):
        (labels, *_), (small, *_) = front.wait_for_count(1, 60), left.wait_for_count(1, 60)
    ids = np.frombuffer(labels.data, np.uint8).reshape(90, 160)
    assert (ids[:45] == 255).all() and (ids[45:] != 255).all()
    assert (small.width, small.height) == (64, 48)
    rviz = started_with(process, "rviz2")
    for topic, real in {
        "/front/image": "/robot1/front/image",
        "/left/image": "/cam2/image",
        "/segmentation/front/color": "/robot1/segmentation/front/color",
        "/segmentation/left/overlay": "/robot1/segmentation/left/overlay",
    }.items():
        assert rviz["topics"][topic] == real
    view = started_with(process, "segmentation_view")
    assert view["parameters"]["cameras"] == ["front", "left"]
    assert view["topics"]["front/image"] == "/robot1/front/image"
    assert view["topics"]["left/image"] == "/cam2/image"
    stop(process)
    front.close()
    left.close()


def test_cameras_named_by_the_argument(launch, graph, tiny_tflite):
    rear = graph.inbox("/segmentation/rear/labels")
    process = launch("multi_camera.launch.py", f"model:={tiny_tflite}", "cameras:=rear,on")
    with player("/rear"):
        assert rear.wait_for_count(1, 60)
    assert "/segmentation/on/labels" in dict(graph.node.get_topic_names_and_types())
    stop(process)
    rear.close()


@pytest.mark.parametrize("file", LAUNCH_FILES)
def test_docs_name_every_argument(load, file):
    text = (REPOSITORY / "docs" / "launch.md").read_text(encoding="utf-8")
    assert f"`{file}`" in text
    for name in arguments(load, file):
        assert f"`{name}`" in text, name


def test_docs_name_every_parameter_of_the_player():
    text = (REPOSITORY / "docs" / "nodes.md").read_text(encoding="utf-8")
    for parameter in drive_player.PARAMETERS:
        assert f"`{parameter.name}`" in text, parameter.name
