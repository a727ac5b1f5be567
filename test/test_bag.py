"""rosbag2 recordings, written and read; and the command that writes them."""

# ruff: noqa: E402  (imports follow the skip)

import argparse
import re
import sqlite3

import cv2
import numpy as np
import pytest
import yaml

pytest.importorskip("rosbags", reason="needs the rosbags library")

from rosbags import rosbag2
from rosbags.typesys import Stores, get_typestore

from shuffleseg_core import Segmenter
from shuffleseg_core.errors import UserError
from shuffleseg_core.frame_source import Frame
from shuffleseg_core.image_file import read_labels
from shuffleseg_ros import bag_command
from shuffleseg_ros.bag import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    IMAGE,
    STORAGES,
    BagFrames,
    is_bag,
    write_bag,
)

TYPES = get_typestore(Stores.ROS2_HUMBLE)


def frames(count=6, times=False):
    random = np.random.default_rng(1)
    return [
        Frame(
            f"{i}",
            random.integers(0, 256, (6, 8, 3), np.uint8),
            None,
            None,
            i * i / 10 if times else None,
        )
        for i in range(count)
    ]


@pytest.fixture(params=STORAGES)
def storage(request):
    return request.param


@pytest.fixture
def bag(tmp_path, storage):
    write_bag(frames(), tmp_path / "bag", rate=10, storage=storage, start=1000.25)
    return tmp_path / "bag"


def test_what_goes_in_comes_out_again_and_again(bag):
    source = BagFrames(bag)
    assert len(source) == 6 and source.topic == "/camera/image"
    for _ in range(2):
        read = list(source)
        assert [frame.time for frame in read] == pytest.approx([i / 10 for i in range(6)])
        for frame, written in zip(read, frames()):
            assert frame.error is None and np.array_equal(frame.image, written.image)


def test_segment_labels_bags_several_frames_at_once(bag, shuffleseg, tiny_tflite, tmp_path):
    out = tmp_path / "out"
    status, said, _ = shuffleseg(
        *("segment", bag, "--output", out, "--model", tiny_tflite, "--workers", 2)
    )
    assert status == 0 and said.startswith("6 label images")
    segmenter = Segmenter(tiny_tflite)
    for frame in BagFrames(bag):
        labels = read_labels(out / f"bag_{frame.name}.png")
        np.testing.assert_array_equal(labels, segmenter.segment(frame.image))
    status, _, err = shuffleseg(
        "segment", bag, "--output", out, "--model", tiny_tflite, "--topic", "/nothing"
    )
    assert status == 2 and "no image topic /nothing" in err


def test_a_storage_file_alone_will_do(bag):
    file = next(file for file in bag.iterdir() if file.suffix in (".db3", ".mcap"))
    assert is_bag(bag) and is_bag(file)
    assert len(list(BagFrames(file))) == 6
    (bag / "metadata.yaml").unlink()  # a recording that was cut off
    assert is_bag(bag)
    assert len(list(BagFrames(bag))) == 6


def test_images_and_camera_info_have_the_same_stamps(bag):
    with rosbag2.Reader(bag) as reader:
        messages = {}
        for connection, time, raw in reader.messages():
            message = TYPES.deserialize_cdr(raw, connection.msgtype)
            stamp = message.header.stamp
            assert stamp.sec * 10**9 + stamp.nanosec == time
            assert message.header.frame_id == "camera_optical_frame"
            messages.setdefault(connection.topic, []).append((time, message))
    images, infos = messages["/camera/image"], messages["/camera/camera_info"]
    assert [time for time, _ in images] == [time for time, _ in infos]
    assert images[0][0] == 1000_250_000_000 and images[1][0] == 1000_350_000_000
    info = infos[0][1]
    assert (info.width, info.height) == (8, 6) and info.k[2] == 3.5 and info.p[6] == 2.5


def test_metadata_is_what_every_release_since_humble_reads(bag, storage):
    metadata = yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert metadata["version"] == 8 and metadata["storage_identifier"] == storage
    assert metadata["message_count"] == 12
    assert (bag / metadata["relative_file_paths"][0]).is_file()
    topics = {
        topic["topic_metadata"]["name"]: topic["topic_metadata"]
        for topic in metadata["topics_with_message_count"]
    }
    assert {name: topic["type"] for name, topic in topics.items()} == {
        "/camera/image": IMAGE,
        "/camera/camera_info": CAMERA_INFO,
    }
    # A text of YAML with numbers: from version 9 on a structure with words, which Humble refuses.
    (profile,) = yaml.safe_load(topics["/camera/image"]["offered_qos_profiles"])
    assert profile["reliability"] == 1 and profile["durability"] == 2


def test_frames_keep_their_own_times_unless_a_rate_is_given(tmp_path):
    write_bag(frames(times=True), tmp_path / "own")
    write_bag(frames(times=True), tmp_path / "given", rate=2)
    assert [f.time for f in BagFrames(tmp_path / "own")] == pytest.approx(
        [i * i / 10 for i in range(6)]
    )
    assert [f.time for f in BagFrames(tmp_path / "given")] == pytest.approx(
        [i / 2 for i in range(6)]
    )


def test_an_unreadable_frame_leaves_its_place_in_time_empty(tmp_path):
    source = frames()
    source[2] = Frame("2", None, "2.jpg: cannot be read", None, None)
    reported = []
    assert write_bag(source, tmp_path / "bag", rate=10, on_unreadable=reported.append) == 5
    assert reported == ["2.jpg: cannot be read"]
    assert [f.time for f in BagFrames(tmp_path / "bag")] == pytest.approx([0, 0.1, 0.3, 0.4, 0.5])


def test_nothing_is_overwritten_and_nothing_is_left_half_done(tmp_path, storage):
    (tmp_path / "bag").mkdir()
    with pytest.raises(UserError, match="exists already"):
        write_bag(frames(), tmp_path / "bag", storage=storage)

    def breaks():
        yield from frames(2)
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_bag(breaks(), tmp_path / "other", storage=storage)
    with pytest.raises(UserError, match="no readable frame"):
        write_bag([Frame("0", None, "bad", None, None)], tmp_path / "other", storage=storage)
    assert [path.name for path in tmp_path.iterdir()] == ["bag"]


def edit_message(bag, number, edit):
    """Change the bytes of one image in a sqlite3 bag."""
    with sqlite3.connect(bag / f"{bag.name}.db3") as database:
        row, data = database.execute(
            "SELECT id, data FROM messages WHERE topic_id = 1 LIMIT 1 OFFSET ?", (number,)
        ).fetchone()
        database.execute("UPDATE messages SET data = ? WHERE id = ?", (edit(data), row))
    database.close()


def nonsense_encoding(data):
    return data.replace(b"rgb8\0", b"gbr9\0")


@pytest.mark.parametrize(
    "edit, words",
    [
        (lambda data: data[:40], "message 2"),
        (lambda data: b"", "message 2"),
        (lambda data: data[:-20], "message 2 is damaged"),
        (nonsense_encoding, "message 2: unsupported encoding 'gbr9'"),
    ],
)
def test_a_damaged_message_costs_one_frame(tmp_path, edit, words):
    bag = tmp_path / "bag"
    write_bag(frames(), bag, rate=10)
    edit_message(bag, 2, edit)
    read = list(BagFrames(bag))
    assert [frame.image is None for frame in read] == [i == 2 for i in range(6)]
    assert read[2].time == pytest.approx(0.2)
    assert str(bag) in read[2].error and re.search(words, read[2].error)
    assert "\n" not in read[2].error
    assert all(
        np.array_equal(r.image, w.image) for i, (r, w) in enumerate(zip(read, frames())) if i != 2
    )


def test_a_file_that_breaks_off_gives_what_came_before(bag, monkeypatch):
    messages = rosbag2.Reader.messages

    def break_off(self, *arguments):
        for index, message in enumerate(messages(self, *arguments)):
            if index == 3:
                raise rosbag2.ReaderError("File is\ncut off.")
            yield message

    monkeypatch.setattr(rosbag2.Reader, "messages", break_off)
    read = list(BagFrames(bag))
    assert [frame.image is None for frame in read] == [False, False, False, True]
    assert read[3].error == f"{bag}: the rest cannot be read: File is cut off."


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_compressed_images(tmp_path, suffix):
    picture = cv2.resize(frames()[0].image, (64, 48))
    encoded = cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
    kind = TYPES.types[COMPRESSED_IMAGE]
    header = TYPES.types["std_msgs/msg/Header"](
        TYPES.types["builtin_interfaces/msg/Time"](1, 0), "camera"
    )
    with rosbag2.Writer(tmp_path / "bag", version=8) as writer:
        connection = writer.add_connection("/cam/compressed", COMPRESSED_IMAGE, typestore=TYPES)
        for time, data in enumerate((encoded, encoded[:9], encoded)):
            message = kind(header=header, format=suffix[1:], data=data.reshape(-1))
            writer.write(connection, time, TYPES.serialize_cdr(message, COMPRESSED_IMAGE))
    first, second, third = BagFrames(tmp_path / "bag")
    assert second.image is None and "message 1: cannot decode" in second.error
    for frame in (first, third):
        assert frame.image.shape == picture.shape
        assert np.abs(frame.image.astype(int) - picture).mean() < 10


def test_topics_are_chosen_or_listed(tmp_path):
    header = TYPES.types["std_msgs/msg/Header"](
        TYPES.types["builtin_interfaces/msg/Time"](1, 0), "camera"
    )
    image = TYPES.types[IMAGE](header, 1, 1, "mono8", 0, 1, np.zeros(1, np.uint8))
    with rosbag2.Writer(tmp_path / "bag", version=9) as writer:
        for topic in ("/left", "/right"):
            connection = writer.add_connection(topic, IMAGE, typestore=TYPES)
            writer.write(connection, 1, TYPES.serialize_cdr(image, IMAGE))
        writer.add_connection("/silent", IMAGE, typestore=TYPES)
    with pytest.raises(UserError, match="choose by topic; its image topics: /left, /right"):
        BagFrames(tmp_path / "bag")
    with pytest.raises(UserError, match="no image topic /rear; its image topics: /left, /right"):
        BagFrames(tmp_path / "bag", "/rear")
    with pytest.raises(UserError, match="no messages on /silent"):
        BagFrames(tmp_path / "bag", "/silent")
    (frame,) = BagFrames(tmp_path / "bag", "/left")
    assert frame.image.shape == (1, 1, 3)


def test_what_is_no_bag_is_refused(tmp_path):
    with pytest.raises(UserError, match="no rosbag2"):
        BagFrames(tmp_path)
    (tmp_path / "a.mcap").write_bytes(b"not a recording")
    with pytest.raises(UserError, match="cannot be read as a rosbag2"):
        BagFrames(tmp_path / "a.mcap")
    (tmp_path / "metadata.yaml").write_text("a: [")
    with pytest.raises(UserError, match="cannot be read as a rosbag2"):
        BagFrames(tmp_path)
    assert not is_bag(tmp_path / "none") and not is_bag(__file__)


def command(*arguments):
    parser = argparse.ArgumentParser()
    bag_command.add_arguments(parser)
    return bag_command.run(parser.parse_args([str(argument) for argument in arguments]))


def test_the_command_writes_a_folder_and_goes_on_past_a_bad_image(tmp_path, storage, capsys):
    images = tmp_path / "images"
    images.mkdir()
    for i, frame in enumerate(frames(4)):
        cv2.imwrite(str(images / f"{i}.png"), cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    (images / "1.png").write_bytes(b"no picture")
    options = ("--rate", 5, "--topic", "/front/image", "--frame-id", "front", "--storage", storage)
    with pytest.raises(UserError, match="^1 of the frames could not be read"):
        command(images, tmp_path / "bag", *options)
    source = BagFrames(tmp_path / "bag")
    assert source.topic == "/front/image"
    assert [f.time for f in source] == pytest.approx([0, 0.4, 0.6])
    out, err = capsys.readouterr()
    assert "3 images on /front/image" in out
    assert "1.png" in err
    with pytest.raises(UserError, match="exists already"):
        command(images, tmp_path / "bag")


@pytest.mark.parametrize(
    "arguments", [("--rate", "0"), ("--rate", "x"), ("--rate", "nan"), ("--storage", "rosbag1")]
)
def test_the_command_refuses_bad_options(tmp_path, arguments, capsys):
    with pytest.raises(SystemExit) as exit:
        command(tmp_path, tmp_path / "bag", *arguments)
    assert exit.value.code == 2


def test_the_command_refuses_bad_input(tmp_path):
    with pytest.raises(UserError):
        command(tmp_path / "none", tmp_path / "bag")
    with pytest.raises(UserError):
        command(tmp_path, tmp_path / "bag")  # an empty folder


@pytest.mark.parametrize(
    "topic", ["image", "/", "/image/", "//image", "/1image", "/my image", "/image\n", "/bild-1", ""]
)
def test_the_command_refuses_what_is_no_topic(tmp_path, topic):
    with pytest.raises(UserError, match="full topic name"):
        command(tmp_path, tmp_path / "bag", "--topic", topic)


def test_the_home_folder_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_bag(frames(1), "~/bag")
    assert len(BagFrames("~/bag")) == len(BagFrames(tmp_path / "bag")) == 1


def test_names_too_long_and_locked_folders_are_no_bags(tmp_path):
    assert not is_bag("x" * 300) and not is_bag(tmp_path / ("x" * 300) / "y")
    with pytest.raises(UserError, match="cannot be written"):
        write_bag(frames(1), tmp_path / ("x" * 300))
    locked = tmp_path / "locked"
    (locked / "inside").mkdir(parents=True)
    locked.chmod(0)
    try:
        assert not is_bag(locked) and not is_bag(locked / "inside")
        with pytest.raises(UserError):
            BagFrames(locked)
    finally:
        locked.chmod(0o700)
