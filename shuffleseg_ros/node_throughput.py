"""How many frames a second one node labels of several cameras, against one camera.

Both get as many frames a second in all, more than the model can label, so that what they differ in
is what several cameras cost.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image

from shuffleseg_core.errors import UserError
from shuffleseg_ros.demo.processes import RosProcess, use_private_graph
from shuffleseg_ros.fastdds_profile import use_large_image_profile
from shuffleseg_ros.node_benchmark import QOS

_SETTLING = 2.0  # seconds after the first labels that do not count
_START_TIMEOUT = 60.0


def throughput(
    images: np.ndarray,
    model: str,
    threads: int,
    encoding: str,
    rate: float,
    cameras: int,
    seconds: float,
    rounds: int,
    tell,
) -> dict:
    """Label `images` over and over for `seconds`, of one camera and of several in turns.

    Args:
        images, model, threads, encoding: as in node_benchmark.record.
        rate: frames a second, of all cameras together.
        cameras: how many, from 2 on.
        seconds: of each run.
        rounds: how often either is run.
        tell: called after each run.

    Returns:
        one_camera, several_cameras: labelled frames a second, the median over the rounds;
        `ratio` of the second to the first; `of_each`: of each camera, over all rounds.

    Raises:
        UserError: the node or the camera ended or cannot start; with its reason.
    """
    use_private_graph()
    use_large_image_profile()
    names = [f"camera_{number}" for number in range(1, cameras + 1)]
    rates = {False: [], True: []}
    of_each = np.zeros(cameras)
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "images.npy", images)
        camera = {
            "images": str(Path(folder) / "images.npy"),
            "encoding": encoding,
            "rate": float(rate),
            "num_frames": 10**8,
        }
        for several in [False, True] * rounds:
            run = names if several else [""]
            counts = _counts({"model": model, "num_threads": threads}, camera, run, seconds)
            rates[several].append(sum(counts) / seconds)
            if several:
                of_each += np.array(counts) / (seconds * rounds)
            tell()
    one, more = (float(np.median(rates[several])) for several in (False, True))
    return {
        "cameras": cameras,
        "one_camera": one,
        "several_cameras": more,
        "ratio": more / one,
        "of_each": of_each.tolist(),
    }


def _counts(node: dict, camera: dict, names: list[str], seconds: float) -> list[int]:
    """Label images of each camera in that time."""
    with contextlib.ExitStack() as ending:
        rclpy.init()
        ending.callback(rclpy.try_shutdown)
        probe = Node("node_throughput")
        ending.callback(probe.destroy_node)
        executor = SingleThreadedExecutor()
        executor.add_node(probe)
        counts = dict.fromkeys(names, 0)

        def count(name):
            counts[name] += 1

        for name in names:
            topic = "/".join(filter(None, ("segmentation", name, "labels")))
            probe.create_subscription(Image, topic, lambda _, n=name: count(n), QOS, raw=True)
        topics = ["/".join(filter(None, (name, "image"))) for name in names]
        processes = {
            "node": RosProcess("shuffleseg_ros.segmentation_node", {**node, "cameras": names}),
            "camera": RosProcess("shuffleseg_ros.benchmark_camera", {**camera, "topics": topics}),
        }
        for process in processes.values():
            ending.callback(process.stop)

        def spin(until):
            while not until():
                for role, process in processes.items():
                    if not process.running() or process.errors():
                        raise UserError(f"the {role}: {'; '.join(process.errors()) or 'ended'}")
                executor.spin_once(timeout_sec=0.1)

        end = time.monotonic() + _START_TIMEOUT
        spin(lambda: all(counts.values()) or time.monotonic() > end)
        if not all(counts.values()):
            raise UserError(f"no labels of every camera within {_START_TIMEOUT:.0f} s: {counts}")
        end = time.monotonic() + _SETTLING
        spin(lambda: time.monotonic() > end)
        counts.update(dict.fromkeys(names, 0))
        end = time.monotonic() + seconds
        spin(lambda: time.monotonic() > end)
        return [counts[name] for name in names]
