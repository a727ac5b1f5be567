"""drive_player on a real ROS graph, and how a drive is opened, timed and read ahead."""

# ruff: noqa: E402, F401, F811  (imports follow the skip; `graph` is a fixture)

import itertools
import math
import signal
import threading
import time

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2 (rclpy): pip install .[ros]")

import cv2
import numpy as np
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo

from ros_graph import RosProcess, graph
from shuffleseg_core.errors import UserError
from shuffleseg_core.frame_source import Frame
from shuffleseg_core.synthetic_drive import SyntheticDrive
from shuffleseg_ros.bag import write_bag
from shuffleseg_ros.drive_source import open_drive, timed_frames
from shuffleseg_ros.image_conversion import to_rgb
from shuffleseg_ros.read_ahead import ReadAhead

MODULE = "shuffleseg_ros.drive_player"


def pictures(count, height=24, width=32):
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (height, width, 3), np.uint8) for _ in range(count)]


def write_folder(folder, images, unreadable=()):
    """Images in CamVid's layout, truth included; those numbered in `unreadable` are no images."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for i, image in enumerate(images):
        path = folder / "images" / f"{i:03d}.png"
        cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        cv2.imwrite(str(folder / "labels" / path.name), np.full(image.shape[:2], i, np.uint8))
        if i in unreadable:
            path.write_bytes(b"no image")
    return folder / "images"


class Player:
    """A player in a namespace of its own, and what it publishes."""

    numbers = itertools.count()

    def __init__(self, graph, parameters):
        namespace = f"/player{next(self.numbers)}"
        self.inboxes = [
            graph.inbox(f"{namespace}/image"),
            graph.inbox(f"{namespace}/camera_info", CameraInfo),
            graph.inbox(f"{namespace}/drive_player/truth"),
        ]
        self.images, self.infos, self.truths = self.inboxes
        self.process = RosProcess(
            MODULE, {"rate": 50.0, **parameters}, ["-r", f"__ns:={namespace}"]
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.__exit__()
        for inbox in self.inboxes:
            inbox.close()


def ids(message):
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width)


def test_a_folder_with_an_unreadable_image_in_the_middle(graph, tmp_path):
    sent = pictures(5)
    folder = write_folder(tmp_path, sent, unreadable=[2])
    with Player(graph, {"drive": str(folder), "frame_id": "front"}) as player:
        assert player.process.wait() == 0
        images = player.images.wait_for_count(4)
        infos, truths = player.infos.wait_for_count(4), player.truths.wait_for_count(4)
    assert len(images) == len(infos) == len(truths) == 4
    for i, image, info, truth in zip((0, 1, 3, 4), images, infos, truths):
        assert image.encoding == "rgb8" and truth.encoding == "mono8"
        assert np.array_equal(to_rgb(image), sent[i])
        assert (ids(truth) == i).all()
        assert image.header == info.header == truth.header and image.header.frame_id == "front"
    stamps = [image.header.stamp.sec * 10**9 + image.header.stamp.nanosec for image in images]
    assert stamps == sorted(set(stamps))
    (error,) = player.process.errors()
    assert "frame 002 skipped" in error
    player.process.wait_for_line("played 4 frames, skipped 1 unreadable")


def test_camera_info_is_a_plausible_pinhole(graph, tmp_path):
    folder = write_folder(tmp_path, pictures(1, 24, 32))
    with Player(graph, {"drive": str(folder), "horizontal_fov": 90.0}) as player:
        (info,) = player.infos.wait_for_count(1)
    assert (info.width, info.height, info.distortion_model) == (32, 24, "plumb_bob")
    assert info.k[0] == info.k[4] == pytest.approx(16 / math.tan(math.pi / 4))
    assert (info.k[2], info.k[5]) == (15.5, 11.5)
    assert list(info.d) == [0.0] * 5 and list(info.r) == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert [info.p[i] for i in (0, 2, 5, 6, 10)] == [info.k[i] for i in (0, 2, 4, 5, 8)]


def test_the_synthetic_drive_is_the_default_with_its_exact_truth(graph):
    with Player(graph, {"width": 96, "height": 64, "seed": 3, "num_frames": 5}) as player:
        assert player.process.wait() == 0
        images, truths = player.images.wait_for_count(5), player.truths.wait_for_count(5)
    drive = SyntheticDrive(seed=3, width=96, height=64)
    for i, (image, truth) in enumerate(zip(images, truths)):
        rgb, expected = drive.frame(i)
        assert np.array_equal(to_rgb(image), rgb) and np.array_equal(ids(truth), expected)


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
def test_a_bag(graph, tmp_path, storage):
    pytest.importorskip("rosbags")
    sent = pictures(4)
    write_bag(
        [Frame(str(i), image) for i, image in enumerate(sent)], tmp_path / "bag", storage=storage
    )
    with Player(graph, {"drive": str(tmp_path / "bag")}) as player:
        assert player.process.wait() == 0
        images = player.images.wait_for_count(4)
    assert [np.array_equal(to_rgb(m), s) for m, s in zip(images, sent)] == [True] * 4


def test_a_loop_goes_on_until_it_is_told_to_end(graph, tmp_path):
    folder = write_folder(tmp_path, pictures(2))
    with Player(graph, {"drive": str(folder), "loop": True}) as player:
        images = player.images.wait_for_count(7)
        assert len(images) >= 7
        assert np.array_equal(to_rgb(images[0]), to_rgb(images[2]))
        player.process.assert_clean_end(player.process.stop(signal.SIGINT))


def nanoseconds(stamp):
    return stamp.sec * 10**9 + stamp.nanosec


@pytest.fixture
def clock(graph):
    inbox = graph.inbox("/clock", Clock)
    yield lambda: [nanoseconds(message.clock) for message in inbox.messages()]
    inbox.close()


def test_the_clock_of_a_bag(graph, clock, tmp_path):
    pytest.importorskip("rosbags")
    frames = [Frame(str(i), image) for i, image in enumerate(pictures(4))]
    write_bag(frames, tmp_path / "bag", rate=10, start=1000.5)
    with Player(
        graph, {"drive": str(tmp_path / "bag"), "publish_clock": True, "rate": 0.0}
    ) as player:
        assert player.process.wait() == 0
        images = player.images.wait_for_count(4)
    stamps = [nanoseconds(image.header.stamp) for image in images]
    assert stamps == [round((1000.5 + 0.1 * i) * 1e9) for i in range(4)]
    ticks = clock()
    assert ticks == sorted(ticks) and ticks[-1] == stamps[-1]
    assert set(ticks) - set(stamps), "no tick between the frames"


def test_a_loop_sets_the_clock_back(graph, clock, tmp_path):
    folder = write_folder(tmp_path, pictures(3))
    with Player(
        graph, {"drive": str(folder), "loop": True, "publish_clock": True, "rate": 20.0}
    ) as player:
        images = player.images.wait_for_count(9)
    stamps = [nanoseconds(image.header.stamp) for image in images[:9]]
    assert stamps == [stamps[0] + i * 50_000_000 for i in range(3)] * 3
    assert abs(stamps[0] - time.time_ns()) < 60 * 10**9
    ticks = clock()
    assert [after for before, after in itertools.pairwise(ticks) if after < before][:2] == [
        stamps[0]
    ] * 2


def test_it_plays_bgr8_as_most_cameras_do(graph, tmp_path):
    sent = pictures(1)
    folder = write_folder(tmp_path, sent)
    with Player(graph, {"drive": str(folder), "encoding": "bgr8"}) as player:
        (image,) = player.images.wait_for_count(1)
    assert image.encoding == "bgr8" and np.array_equal(to_rgb(image), sent[0])
    assert bytes(image.data) == sent[0][..., ::-1].tobytes()


def test_it_waits_for_a_subscriber_and_ends_cleanly_meanwhile():
    with RosProcess(
        MODULE, {"num_frames": 1, "width": 32, "height": 32}, ["-r", "__ns:=/lonely"]
    ) as process:
        process.wait_for_line("waiting for 1 to subscribe to /lonely/image")
        process.assert_clean_end(process.stop(signal.SIGTERM))
        assert not any("played" in line for line in process.lines)


def test_it_plays_to_nobody_if_so_told():
    with RosProcess(
        MODULE,
        {
            "num_frames": 2,
            "width": 32,
            "height": 32,
            "start_delay": 0.0,
            "wait_for_subscribers": 0,
        },
        ["-r", "__ns:=/lonely"],
    ) as process:
        process.assert_clean_end(process.wait())
        process.wait_for_line("played 2 frames")


def test_what_cannot_be_played_is_one_error_and_a_failure(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("no drive")
    (tmp_path / "bad.mcap").write_text("no recording")
    (tmp_path / "bad.mp4").write_text("no video")
    cases = [
        ({"drive": str(tmp_path / name)}, name.replace(".", r"\."))
        for name in ("none", "empty", "text.txt", "bad.mcap", "bad.mp4")
    ]
    cases += [({"width": 5}, "width"), ({"rate": -1.0}, "rate"), ({"rate": 5}, "rate")]
    started = [
        (RosProcess(MODULE, parameters, ["-r", f"__ns:=/bad{i}"]), pattern)
        for i, (parameters, pattern) in enumerate(cases)
    ]
    for process, pattern in started:
        with process:
            process.assert_one_error(pattern)


def test_a_video_is_opened_as_one(tmp_path):
    path = str(tmp_path / "drive.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*"MJPG"), 5, (32, 24))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no videos")
    for picture in pictures(3):
        writer.write(picture)
    writer.release()
    source = open_drive(path)
    assert [time for time, *_ in timed_frames(source)] == pytest.approx([0, 0.2, 0.4])


PIXEL = np.zeros((1, 1, 3), np.uint8)


class Drive:
    """Frames with the given times."""

    truth = False

    def __init__(self, times, rate=None, image=PIXEL):
        self.times, self.rate, self.image = times, rate, image

    def __iter__(self):
        return (Frame(str(i), self.image, "bad", None, time) for i, time in enumerate(self.times))


@pytest.mark.parametrize(
    "drive, rate, times",
    [
        (Drive([0, 0.1, 0.5]), 0, [0, 0.1, 0.5]),
        (Drive([0, 0.1, 0.5]), 10, [0, 0.1, 0.2]),
        (Drive([None] * 3), 0, [0, 1 / 15, 2 / 15]),
        (Drive([None] * 3, rate=30), 0, [0, 1 / 30, 2 / 30]),
        (Drive([]), 0, []),
    ],
)
def test_the_times_of_frames(drive, rate, times):
    assert [time for time, *_ in timed_frames(drive, rate)] == pytest.approx(times)


@pytest.mark.parametrize(
    "drive, rate, times",
    [
        (Drive([0, 0.1, 0.5]), 0, [0, 0.1, 0.5, 0.9, 1.0, 1.4, 1.8]),
        (Drive([None] * 2), 10, [0, 0.1, 0.2, 0.3, 0.4]),
        (Drive([0]), 0, [0, 1 / 15, 2 / 15]),
        (Drive([]), 0, []),
    ],
)
def test_the_times_of_frames_in_a_loop(drive, rate, times):
    looped = list(itertools.islice(timed_frames(drive, rate, loop=True), len(times) or None))
    assert [time for time, *_ in looped] == pytest.approx(times)
    own = [time for time, *_ in timed_frames(drive, rate)]
    assert [time for _, time, _ in looped] == pytest.approx((own * 7)[: len(times)])


@pytest.mark.parametrize("loop", [False, True])
def test_a_drive_without_any_readable_frame_ends_after_one_round(loop):
    frames = timed_frames(Drive([None] * 3, image=None), loop=loop)
    assert [next(frames)[-1].image for _ in range(3)] == [None] * 3
    with pytest.raises(UserError, match="no frame of the drive can be read; the last: bad"):
        next(frames)


@pytest.mark.parametrize("loop", [False, True])
def test_the_player_of_unreadable_frames_fails_and_does_not_flood(graph, tmp_path, loop):
    folder = write_folder(tmp_path, pictures(30), unreadable=range(30))
    with Player(graph, {"drive": str(folder), "loop": loop, "rate": 1000.0}) as player:
        assert player.process.wait() == 1
        errors = player.process.errors()
        assert "frame 000 skipped" in errors[0]
        assert "no frame of the drive can be read" in errors[-1]
        # One line each, unless reading took so long that the throttle let another one pass.
        assert len(errors) < 10
        assert not any("Traceback" in line for line in player.process.lines)


def test_open_drive_knows_what_there_is(tmp_path):
    assert len(open_drive("", num_frames=7)) == 7
    assert len(open_drive(str(write_folder(tmp_path, pictures(2))))) == 2
    for bad in (tmp_path / "none", "x" * 300, "/".join(["x" * 200] * 30)):
        with pytest.raises(UserError):
            open_drive(str(bad))


def test_read_ahead_reads_ahead_but_not_everything():
    begun = []
    ahead = threading.Event()

    def items():
        for i in range(100):
            begun.append(i)
            if i == 3:
                ahead.set()
            yield i

    reader = ReadAhead(items(), depth=3)
    assert ahead.wait(10)
    assert next(reader) == 0
    assert list(itertools.islice(reader, 3)) == [1, 2, 3]
    assert len(begun) < 12
    assert list(reader) == list(range(4, 100))
    assert list(reader) == []


def test_read_ahead_passes_errors_on_and_can_be_closed():
    def items():
        yield 1
        raise UserError("gone")

    reader = ReadAhead(items())
    assert next(reader) == 1
    with pytest.raises(UserError, match="gone"):
        next(reader)

    reader = ReadAhead(itertools.count(), depth=1)
    assert next(reader) == 0
    reader.close()
    assert not reader._thread.is_alive()
