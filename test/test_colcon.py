"""`colcon build` in a workspace, and the nodes started from what it installed."""

# ruff: noqa: E402, F811  (imports follow the skip; `graph` is a fixture)

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy): pip install .[ros]")
COLCON = shutil.which("colcon", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
if COLCON is None:
    pytest.skip("colcon is not installed", allow_module_level=True)

from conftest import ROOT
from ros_graph import RosProcess, graph  # noqa: F401
from shuffleseg_core import Segmenter
from shuffleseg_ros.image_conversion import to_rgb


def _colcon(workspace, *arguments):
    return subprocess.run(
        [COLCON, *arguments], cwd=workspace, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A built workspace; the package is copied as git has it, new files included."""
    folder = tmp_path_factory.mktemp("workspace")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            target = folder / "src" / "shuffleseg" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    _colcon(folder, "build")
    return folder


def _installed(workspace, *command):
    """A command in a shell that has sourced the workspace."""
    script = '. "$0/install/setup.sh" && exec "$@"'
    return ["env", f"COLCON_CURRENT_PREFIX={workspace / 'install'}", "sh", "-c", script,
            str(workspace), *map(str, command)]  # fmt: skip


def _executable(workspace, name):
    path = workspace / "install" / "shuffleseg_ros" / "lib" / "shuffleseg_ros" / name
    return _installed(workspace, path)


def test_it_is_an_ament_python_package(workspace):
    assert "(ros.ament_python)" in _colcon(workspace, "list")


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_labels_are_compiled(workspace):
    program = "from shuffleseg_core import compiled_labels as c; print(c.IS_BUILT, c.__file__)"
    command = _installed(workspace, sys.executable, "-c", program)
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=True)
    built, file = done.stdout.split()
    assert built == "True" and Path(file).is_relative_to(workspace / "install")


def test_everything_is_installed(workspace):
    share = workspace / "install" / "shuffleseg_ros" / "share" / "shuffleseg_ros"
    for folder in ("launch", "config", "config/sros2", "config/systemd"):
        names = {path.name for path in (ROOT / folder).iterdir() if path.name != "__pycache__"}
        assert names and {path.name for path in (share / folder).iterdir()} == names
    program = """
import shuffleseg_core, shuffleseg_ros, shuffleseg_training
from shuffleseg_core.models.heads import load_dpc_cell
from shuffleseg_ros.fastdds_profile import PROFILE
from shuffleseg_training.recipe import load_recipe, recipe_names
load_dpc_cell(); [load_recipe(name) for name in recipe_names()]
assert PROFILE.is_file() and shuffleseg_core.default_model_path().is_file()
print(shuffleseg_core.__file__, shuffleseg_ros.__file__, shuffleseg_training.__file__)
"""
    command = _installed(workspace, sys.executable, "-c", program)
    places = subprocess.run(
        command, cwd=workspace, check=True, capture_output=True, text=True
    ).stdout.split()
    assert len(places) == 3
    for place in places:
        assert Path(place).is_relative_to(workspace / "install")


def test_command_line_is_installed(workspace):
    command = [*_executable(workspace, "shuffleseg"), "summary", "--json", "-"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2 and "either" in result.stderr


def test_installed_nodes_label_as_the_segmenter_does(workspace, graph, tiny_tflite):
    segmenter = Segmenter(tiny_tflite, num_threads=1)
    images, labels = graph.inbox("image"), graph.inbox("segmentation/labels")
    node = RosProcess(
        _executable(workspace, "segmentation_node"), {"model": str(tiny_tflite), "num_threads": 1}
    )
    with node:
        node.wait_for_line("labelling /image")
        player = RosProcess(
            _executable(workspace, "drive_player"),
            {
                "width": 160,
                "height": 90,
                "num_frames": 40,
                "rate": 10.0,
                "wait_for_subscribers": 2,
                # Lets the node find the best way of delivery.
                "start_delay": 2.0,
            },
        )
        with player:
            assert player.wait() == 0
            player.assert_clean_end(0)
        # The player waits for its last frames' delivery, so all of them arrive.
        by_stamp = {str(m.header.stamp): m for m in images.wait_for_count(40)}
        assert len(by_stamp) == 40
        labels.wait_for_count(30)
        node.assert_clean_end(node.stop())
    images.close()
    labels.close()
    compared = labels.messages()
    assert len(compared) >= 30
    for message in compared:
        image = by_stamp[str(message.header.stamp)]
        assert message.header.frame_id == image.header.frame_id == "camera_optical_frame"
        assert (message.encoding, message.width, message.height) == ("mono8", 160, 90)
        ids = np.frombuffer(message.data, np.uint8).reshape(90, 160)
        np.testing.assert_array_equal(ids, segmenter.segment(to_rgb(image)))
