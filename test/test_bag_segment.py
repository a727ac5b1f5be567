"""`shuffleseg bag-segment`: labels for every image of a rosbag2, through kills."""

# ruff: noqa: E402  (imports follow the skip)

import signal
import subprocess
import sys
from unittest.mock import patch

import cv2
import numpy as np
import pytest
import yaml

pytest.importorskip("rosbags", reason="needs the rosbags library")

from rosbags import rosbag2
from rosbags.typesys import Stores, get_typestore

from shuffleseg_core import Segmenter, UserError
from shuffleseg_core.synthetic_drive import SyntheticDrive
from shuffleseg_ros import bag_segmentation
from shuffleseg_ros.bag import COMPRESSED_IMAGE, IMAGE, STORAGES, BagFrames
from shuffleseg_ros.bag_segmentation import BagSegmentation

TYPES = get_typestore(Stores.ROS2_HUMBLE)
COUNT = 7
FRONT, REAR, SPEED = "/front/image", "/rear/image/compressed", "/speed"


def _messages():
    """(topic, time, type, message): two cameras and a number, in the order of their times; the
    fourth raw image is none."""
    types = TYPES.types
    drive = SyntheticDrive(seed=1, width=64, height=48)
    for i in range(COUNT):
        rgb = drive.frame(10 * i)[0]
        time = 10**18 + i * 10**8
        header = types["std_msgs/msg/Header"](
            types["builtin_interfaces/msg/Time"](5 + i, 6), f"camera_{i}"
        )
        encoding = "nonsense" if i == 3 else "bgr8"
        pixels = np.ascontiguousarray(rgb[..., ::-1])
        yield FRONT, time, IMAGE, types[IMAGE](header, 48, 64, encoding, 0, 192, pixels.reshape(-1))
        png = cv2.imencode(".png", pixels)[1].reshape(-1)
        message = types[COMPRESSED_IMAGE](header, "png", png)
        yield REAR, time + 1, COMPRESSED_IMAGE, message
        yield SPEED, time + 2, "std_msgs/msg/Float64", types["std_msgs/msg/Float64"](float(i))


@pytest.fixture(params=STORAGES)
def bag(request, tmp_path):
    plugin = rosbag2.StoragePlugin[request.param.upper()]
    with rosbag2.Writer(tmp_path / "in", version=8, storage_plugin=plugin) as writer:
        connections = {}
        for topic, time, kind, message in _messages():
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=TYPES)
            writer.write(connections[topic], time, TYPES.serialize_cdr(message, kind))
    return tmp_path / "in"


def _read(path):
    with rosbag2.Reader(path) as reader:
        return [(c.topic, time, bytes(raw)) for c, time, raw in reader.messages()]


def test_labels_of_all_images_in_order_with_their_stamps(bag, shuffleseg, tmp_path):
    out = tmp_path / "out"
    status, said, err = shuffleseg("bag-segment", bag, out, "--copy", "all")
    assert status == 2 and "nonsense" in err and "1 messages could not be read" in err
    assert said.startswith(f"{out}: {2 * COUNT - 1} label images on {FRONT}/labels")
    found = _read(out)
    assert [m for m in found if not m[0].endswith("/labels")] == _read(bag)
    assert [time for _, time, _ in found] == sorted(time for _, time, _ in found)
    segmenter = Segmenter(num_threads=1)
    images = [m for m in _messages() if m[0] == REAR]
    labels = [m for m in found if m[0] == f"{REAR}/labels"]
    assert len(labels) == COUNT
    for (_, time, _, message), (_, labelled, raw) in zip(images, labels):
        answer = TYPES.deserialize_cdr(raw, IMAGE)
        assert labelled == time and answer.header == message.header
        assert (answer.encoding, answer.width, answer.height) == ("mono8", 64, 48)
        bgr = cv2.imdecode(message.data, cv2.IMREAD_COLOR)
        expected = segmenter.segment(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
        np.testing.assert_array_equal(answer.data.reshape(48, 64), expected)


def test_one_topic_alone(bag, shuffleseg, tmp_path):
    out = tmp_path / "out"
    status, _, _ = shuffleseg("bag-segment", bag, out, "--topic", REAR, "--workers", 1)
    assert status == 0
    assert {topic for topic, _, _ in _read(out)} == {f"{REAR}/labels"}
    assert len(BagFrames(out)) == COUNT


PROGRAM = """
import os, signal, sys
from shuffleseg_ros import bag_segmentation
bag_segmentation.PART_IMAGES = 4
seen = []
def on_image():
    seen.append(1)
    if len(seen) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
bag_segmentation.BagSegmentation(*sys.argv[1:3], copy="images").run(on_image)
"""


@pytest.mark.parametrize("after", [2, 6, 13])
def test_a_kill_costs_a_part_at_most(bag, tmp_path, after):
    whole, out = tmp_path / "whole", tmp_path / "out"
    BagSegmentation(bag, whole, copy="images").run()
    killed = subprocess.run([sys.executable, "-c", PROGRAM, bag, out, str(after)])
    assert killed.returncode == -signal.SIGKILL and not out.exists()
    with patch.object(bag_segmentation, "PART_IMAGES", 4):
        again = BagSegmentation(bag, out, copy="images", workers=2)
        assert again.done == after // 4 * 4
        again.run()
    assert _read(out) == _read(whole)
    files = sorted(file.name for file in out.iterdir())
    assert len(files) == 1 + -(-2 * COUNT // 4)
    with open(out / "metadata.yaml") as file:
        said = yaml.safe_load(file)["rosbag2_bagfile_information"]
    assert sorted([*said["relative_file_paths"], "metadata.yaml"]) == files
    assert said["message_count"] == len(_read(out))
    assert {p.name for p in tmp_path.iterdir()} == {"in", "whole", "out"}


def test_other_settings_do_not_go_on_with_a_killed_run(bag, tmp_path):
    subprocess.run([sys.executable, "-c", PROGRAM, bag, tmp_path / "out", "6"])
    with pytest.raises(UserError, match="interrupted run with another copy"):
        BagSegmentation(bag, tmp_path / "out", copy="none")


@pytest.mark.parametrize(
    "options, words",
    [
        (["--topic", "/nothing"], "no image topic /nothing"),
        (["--topic", SPEED], f"no image topic {SPEED}"),
        (["--workers", "0"], "--workers is 0"),
        (["--model", "none.tflite"], "none.tflite"),
    ],
)
def test_mistakes(bag, shuffleseg, tmp_path, options, words):
    status, out, err = shuffleseg("bag-segment", bag, tmp_path / "out", *options)
    assert (status, out) == (2, "")
    assert words in err and len(err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(bag, shuffleseg, tmp_path):
    status, _, err = shuffleseg("bag-segment", bag, bag)
    assert status == 2 and "exists already" in err
    status, _, err = shuffleseg("bag-segment", tmp_path, tmp_path / "out")
    assert status == 2 and "no rosbag2" in err
