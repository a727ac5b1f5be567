"""What the segmentation node is made of and needs no ROS: worker, statistics, report, throttle."""

import os
import subprocess
import sys
import threading

import pytest

from shuffleseg_ros import diagnostics_report, fastdds_profile
from shuffleseg_ros.frame_statistics import FrameStatistics
from shuffleseg_ros.latest_frame_worker import LatestFrameWorker
from shuffleseg_ros.log_throttle import LogThrottle


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_the_worker_takes_the_newest_and_drops_what_waited():
    busy, go_on, done, seen = threading.Event(), threading.Event(), threading.Event(), []

    def process(frame, received, ready):
        seen.append((frame, received, ready))
        if frame == 0:
            busy.set()
            go_on.wait(10)
        if frame == 99:
            done.set()

    worker = LatestFrameWorker(process)
    worker.start()
    assert worker.submit(0) is False
    assert busy.wait(10)
    displaced = [worker.submit(i) for i in range(1, 100)]
    assert displaced == [False] + [True] * 98
    go_on.set()
    assert done.wait(10)
    assert [frame for frame, _, _ in seen] == [0, 99]
    # The second was received while the worker was busy: it could begin later than that.
    assert seen[0][1] == seen[0][2] and seen[1][2] > seen[1][1]
    assert worker.stop()
    worker.submit(100)
    assert len(seen) == 2


def test_a_worker_that_never_began_can_be_stopped():
    assert LatestFrameWorker(lambda *_: None).stop()


def stages(total):
    return {"inference": total / 2, "total": total, "segment": total / 2, "node": total * 0.6}


def test_rates_and_latencies_are_over_the_window():
    clock = Clock()
    statistics = FrameStatistics(window=2.0, clock=clock)
    for i in range(40):
        clock.now += 0.125
        statistics.frame_received(displaced=i % 4 == 3)
        if i % 4 != 3:
            statistics.frame_labelled(stages(0.001 * i))
    snapshot = statistics.snapshot()
    assert (snapshot.received, snapshot.labelled, snapshot.dropped) == (40, 30, 10)
    assert (snapshot.rate_in, snapshot.rate_out, snapshot.dropped_recently) == (8, 6, 4)
    p50, p95 = snapshot.stages["total"]
    assert 0.024 <= p50 < p95 <= 0.039
    assert snapshot.overhead == pytest.approx(2.0)
    assert snapshot.overhead_without_wait == pytest.approx(1.2)
    clock.now += 10
    snapshot = statistics.snapshot()
    assert snapshot.newest_age == pytest.approx(10) and snapshot.rate_in == 0
    assert snapshot.stages == {} and snapshot.overhead is None and snapshot.received == 40


def judged(statistics, **options):
    options = {"topic": "/image", "window": 2.0, "stale_timeout": 3.0, **options}
    return diagnostics_report.judge(statistics.snapshot(), **options)


def test_levels():
    clock = Clock()
    statistics = FrameStatistics(window=2.0, clock=clock)
    assert judged(statistics) == (diagnostics_report.WARN, "no frame on /image yet")
    clock.now += 4
    assert judged(statistics) == (diagnostics_report.STALE, "no frame on /image for 4.0 s")
    for _ in range(20):
        clock.now += 0.1
        statistics.frame_received(displaced=False)
        statistics.frame_labelled(stages(0.01))
    level, message = judged(statistics)
    assert level == diagnostics_report.OK and "frames/s labelled" in message
    assert judged(statistics, expected_rate=10.0)[0] == diagnostics_report.OK
    level, message = judged(statistics, expected_rate=15.0)
    assert level == diagnostics_report.WARN and message.endswith("15 expected")
    statistics.frame_failed("truncated data")
    level, message = judged(statistics)
    assert level == diagnostics_report.ERROR
    assert message == "1 failed frames; last: truncated data"
    clock.now += 2.1
    assert judged(statistics)[0] == diagnostics_report.OK
    clock.now += 3.1
    assert judged(statistics)[0] == diagnostics_report.STALE


def test_values_are_texts_in_the_order_of_the_stages():
    clock = Clock()
    statistics = FrameStatistics(clock=clock)
    assert dict(diagnostics_report.values(statistics.snapshot()))["age of newest frame (s)"] == ""
    statistics.frame_received(displaced=False)
    statistics.frame_labelled({**stages(0.02), "convert": 0.001, "wait": 0.0})
    pairs = diagnostics_report.values(statistics.snapshot())
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
    told = dict(diagnostics_report.values(snapshot))
    assert told["overhead ratio"] == "1.500" and told["overhead ratio without wait"] == "1.100"


def test_resident_memory_is_plausible():
    assert 1 < diagnostics_report.resident_memory_mb() < 100_000


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
