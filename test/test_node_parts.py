"""What the segmentation node is made of and needs no ROS: worker, statistics, report, throttle."""

import os
import subprocess
import sys
import threading
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shuffleseg_ros import diagnostics_report, fastdds_profile
from shuffleseg_ros.camera_settings import CameraSettings
from shuffleseg_ros.diagnostics_report import ERROR, OK, STALE, WARN
from shuffleseg_ros.frame_statistics import FrameStatistics
from shuffleseg_ros.latest_frame_worker import LatestFrameWorker
from shuffleseg_ros.log_throttle import LogThrottle
from shuffleseg_ros.rate_limit import RateLimit


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_the_worker_takes_the_newest_and_drops_what_waited():
    busy, go_on, done, seen = threading.Event(), threading.Event(), threading.Event(), []

    def process(camera, frame, received, ready):
        assert camera == "front"
        seen.append((frame, received, ready))
        if frame == 0:
            busy.set()
            go_on.wait(10)
        if frame == 99:
            done.set()

    worker = LatestFrameWorker(process)
    worker.start()
    assert worker.submit("front", 0) is False
    assert busy.wait(10)
    displaced = [worker.submit("front", i) for i in range(1, 100)]
    assert displaced == [False] + [True] * 98
    go_on.set()
    assert done.wait(10)
    assert [frame for frame, _, _ in seen] == [0, 99]
    # The second was received while the worker was busy: it could begin later than that.
    assert seen[0][1] == seen[0][2] and seen[1][2] > seen[1][1]
    assert worker.stop()
    worker.submit("front", 100)
    assert len(seen) == 2


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), max_size=6), max_size=20))
def test_the_newest_of_each_camera_is_labelled_and_none_starves(arrivals):
    """While the frame of a turn is in work others arrive: `arrivals[turn]`, their cameras."""
    newest, since, done, wrong = {0: "first"}, {0: 0}, threading.Event(), []
    turns = iter(range(1, 1000))

    def process(camera, frame, received, ready):
        turn = next(turns)
        if frame != newest.pop(camera, None):
            wrong.append((turn, "not the newest"))
        if turn - since.pop(camera) > 4:  # four cameras
            wrong.append((turn, "starved"))
        for number, arriving in enumerate(arrivals[turn - 1] if turn <= len(arrivals) else ()):
            if worker.submit(arriving, (turn, number)) is not (arriving in newest):
                wrong.append((turn, "displaced"))
            newest[arriving] = turn, number
            since.setdefault(arriving, turn)
        if not newest:
            done.set()

    worker = LatestFrameWorker(process)
    worker.submit(0, "first")
    worker.start()
    assert done.wait(10) and worker.stop() and wrong == []


def test_a_worker_that_never_began_can_be_stopped():
    assert LatestFrameWorker(lambda *_: None).stop()


def stages(total):
    return {"inference": total / 2, "total": total, "segment": total / 2, "node": total * 0.6}


def test_rates_and_latencies_are_over_the_window():
    clock = Clock()
    statistics = FrameStatistics(window=2.0, clock=clock)
    for i in range(40):
        clock.now += 0.125
        statistics.frame_received()
        if i % 4 != 3:
            statistics.frame_labelled(stages(0.001 * i), missed_deadline=i >= 38)
        else:
            statistics.frame_dropped("newer frame" if i < 20 else "rate limit")
    snapshot = statistics.snapshot()
    assert (snapshot.received, snapshot.labelled) == (40, 30)
    assert snapshot.dropped == {"newer frame": 5, "rate limit": 5}
    assert snapshot.deadline_misses == 1
    assert snapshot.deadline_misses_recently == pytest.approx(1 / 12)
    assert (snapshot.rate_in, snapshot.rate_out, snapshot.dropped_recently) == (8, 6, 4)
    total = snapshot.stages["total"]
    assert 0.024 <= total.p50 < total.p95 < total.p99 < total.max == pytest.approx(0.038)
    assert snapshot.overhead == pytest.approx(2.0)
    assert snapshot.overhead_without_wait == pytest.approx(1.2)
    clock.now += 10
    snapshot = statistics.snapshot()
    assert snapshot.newest_age == pytest.approx(10) and snapshot.rate_in == 0
    assert snapshot.stages == {} and snapshot.overhead is None and snapshot.received == 40


def judged(statistics, **options):
    return diagnostics_report.judge_camera(
        statistics.snapshot(),
        topic="/image",
        window=2.0,
        settings=CameraSettings(**{"stale_timeout": 3.0, **options}),
    )


def test_levels_of_a_camera():
    clock = Clock()
    statistics = FrameStatistics(window=2.0, clock=clock)
    assert judged(statistics) == (WARN, "no frame on /image yet")
    clock.now += 4
    assert judged(statistics) == (STALE, "no frame on /image for 4.0 s")
    for i in range(20):
        clock.now += 0.1
        statistics.frame_received()
        statistics.frame_labelled(stages(0.01), missed_deadline=i % 4 == 0)
    level, message = judged(statistics)
    assert level == OK and "frames/s labelled" in message
    assert judged(statistics, expected_rate=10.0)[0] == OK
    assert judged(statistics, expected_rate=15.0) == (
        WARN,
        "10.0 frames/s arrive, 15 expected",
    )
    assert judged(statistics, deadline_ms=50.0) == (
        WARN,
        "10.0 of 10.0 frames/s labelled, 25% later than 50 ms",
    )
    assert judged(statistics, deadline_ms=50.0, deadline_error_share=0.2)[0] == ERROR
    assert judged(statistics, deadline_ms=50.0, deadline_warn_share=0.3)[0] == OK
    statistics.frame_failed("data", "truncated data")
    assert judged(statistics) == (ERROR, "1 failed frames; last: truncated data")
    clock.now += 2.1
    assert judged(statistics)[0] == OK
    statistics.frame_received()
    statistics.frame_idle()
    assert judged(statistics) == (OK, "idle: nobody subscribes to an output")
    for _ in range(20):
        clock.now += 0.1
        statistics.frame_received()
        statistics.frame_dropped("newer frame")
    assert judged(statistics, expected_rate=10.0) == (
        WARN,
        "0.0 of 10.5 frames/s labelled, 10 expected",
    )
    clock.now += 3.1
    assert judged(statistics)[0] == STALE


LIMITS = {"temperature_warn": 80.0, "temperature_error": 95.0, "memory_warn_mb": 0.0}


@pytest.mark.parametrize(
    "health, limits, level, words",
    [
        ({}, {}, OK, "active"),
        ({"temperature": 79.0}, {}, OK, "active"),
        ({"temperature": 80.0}, {}, WARN, "80 °C"),
        ({"temperature": 96.0, "throttling": "capped"}, {}, ERROR, "96 °C"),
        ({"throttling": "under-voltage"}, {}, WARN, "under-voltage"),
        ({"resident_memory_mb": 300.0}, {"memory_warn_mb": 250.0}, WARN, "300 MB"),
        ({"resident_memory_mb": 300.0}, {}, OK, "active"),
    ],
)
def test_levels_of_the_process(health, limits, level, words):
    sample = types.SimpleNamespace(
        **{"temperature": None, "throttling": "", "resident_memory_mb": None, **health}
    )
    got, message = diagnostics_report.judge_process(sample, {**LIMITS, **limits})
    assert got == level and words in message


def test_values_are_texts_in_the_order_of_the_stages():
    clock = Clock()
    statistics = FrameStatistics(clock=clock)
    assert (
        dict(diagnostics_report.camera_values(statistics.snapshot()))["age of newest frame (s)"]
        == ""
    )
    statistics.frame_received()
    statistics.frame_labelled({**stages(0.02), "convert": 0.001, "wait": 0.0})
    pairs = diagnostics_report.camera_values(statistics.snapshot())
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in pairs)
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys))
    assert [key for key in keys if "p50" in key] == [
        "wait p50 (ms)",
        "convert p50 (ms)",
        "inference p50 (ms)",
        "total p50 (ms)",
    ]
    assert dict(pairs)["total p50 (ms)"] == "20.00"


def test_the_overhead_is_each_frames_own():
    statistics = FrameStatistics(clock=Clock())
    for segment, total, node in ((0.01, 0.02, 0.011), (0.1, 0.15, 0.12), (0.05, 0.055, 0.055)):
        statistics.frame_labelled({"segment": segment, "total": total, "node": node})
    snapshot = statistics.snapshot()
    assert snapshot.overhead == pytest.approx(1.5)
    assert snapshot.overhead_without_wait == pytest.approx(1.1)
    told = dict(diagnostics_report.camera_values(snapshot))
    assert told["overhead ratio"] == "1.500" and told["overhead ratio without wait"] == "1.100"


def test_the_throttle_holds_lines_back_and_counts_them():
    clock = Clock()
    throttle = LogThrottle(period=5.0, clock=clock)
    assert throttle.admit("step", "a") == "a"
    assert throttle.admit("size", "b") == "b"
    assert [throttle.admit("step", "a") for _ in range(3)] == [None] * 3
    clock.now += 5
    assert throttle.admit("step", "c") == "c (3 more like this since the last such line)"
    clock.now += 5
    assert throttle.admit("step", "d") == "d"


@pytest.mark.parametrize(
    "environment, named",
    [
        ({}, "FASTDDS_DEFAULT_PROFILES_FILE"),
        ({"ROS_DISTRO": "kilted"}, "FASTDDS_DEFAULT_PROFILES_FILE"),
        ({"ROS_DISTRO": "humble"}, "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ({"ROS_LOCALHOST_ONLY": "1"}, None),
        ({"FASTRTPS_DEFAULT_PROFILES_FILE": "own.xml"}, None),
        ({"FASTDDS_DEFAULT_PROFILES_FILE": "own.xml"}, None),
    ],
)
def test_the_middlewares_profile_is_only_a_default(environment, named):
    before = dict(environment)
    fastdds_profile.use_large_image_profile(environment)
    added = {name: value for name, value in environment.items() if name not in before}
    assert added == ({named: str(fastdds_profile.PROFILE)} if named else {})
    assert fastdds_profile.PROFILE.is_file()


def test_nodes_without_ros_say_so_in_one_line(tmp_path):
    (tmp_path / "rclpy.py").write_text("raise ImportError('no rclpy here')")
    for name in ("segmentation_node", "drive_player"):
        program = (
            f"import sys; from shuffleseg_ros import executables; sys.exit(executables.{name}())"
        )
        result = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert result.returncode == 1
        assert len(result.stderr.splitlines()) == 1 and "needs ROS 2" in result.stderr


def passed(limit, clock, rate, seconds, step):
    count = 0
    for _ in range(round(seconds / step)):
        clock.now += step
        count += limit.admits(rate)
    return count


def test_the_rate_limit_is_the_mean_rate_and_a_higher_one_holds_at_once():
    clock = Clock()
    limit = RateLimit(clock)
    assert passed(limit, clock, 0.0, 1, 0.1) == 10
    assert passed(limit, clock, 8.0, 20, 1 / 30) in range(159, 163)
    assert passed(limit, clock, 50.0, 10, 0.1) == 100
    clock.now += 100  # nothing is saved up
    assert [limit.admits(10.0) for _ in range(3)] == [True, False, False]
    assert passed(limit, clock, 0.001, 10, 0.1) <= 1
    assert passed(limit, clock, 10.0, 10, 0.05) in range(99, 102)


def test_memory_of_images_is_not_given_back_at_each_frame():
    program = """
import resource
from shuffleseg_ros.large_allocations import keep_large_allocations
keep_large_allocations()
def image():
    return bytearray(2_764_800)
for _ in range(5):
    image()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    image()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    faults = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout
    assert int(faults) < 100  # 675 pages an image
