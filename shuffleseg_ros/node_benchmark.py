"""Runs the segmentation node on a camera's pace and records what it does."""

from __future__ import annotations

import contextlib
import signal
import struct
import tempfile
import time
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Float64MultiArray

from shuffleseg_core.errors import UserError
from shuffleseg_ros.demo.processes import RosProcess, use_private_graph
from shuffleseg_ros.fastdds_profile import use_large_image_profile
from shuffleseg_ros.node_benchmark_figures import Recording
from shuffleseg_ros.process_health import ProcessHealth

_START_TIMEOUT = 60.0  # seconds for each step until the first label image; seconds are usual
_END_TIMEOUT = 5.0  # seconds for the node to tell of the last frames
_PHASE = 100  # frames between two changes of subscribers, fewer in short runs
QOS = QoSProfile(depth=20, reliability=ReliabilityPolicy.RELIABLE)


class _Probe(Node):
    """Subscribes in turns to labels alone and to labels and overlay.

    Images are taken as bytes: making messages of them would cost the machine that is measured.
    """

    def __init__(self):
        super().__init__("node_benchmark")
        self.recording = Recording()
        self.diagnostics = 0  # messages
        self._overlay = None
        self.create_subscription(Image, "segmentation/labels", self._labels, QOS, raw=True)
        self.create_subscription(Float64MultiArray, "segmentation/timing", self._timing, QOS)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._diagnose, 10)
        self.recording.changes.append((0.0, False))

    def change_subscribers(self):
        """Subscribe to overlays, or no more if they are subscribed to."""
        if self._overlay is None:
            self._overlay = self.create_subscription(
                Image, "segmentation/overlay", self._overlays, QOS, raw=True
            )
        else:
            self.destroy_subscription(self._overlay)
            self._overlay = None
        self.recording.changes.append((time.time(), self._overlay is not None))

    def _labels(self, data):
        stamp, number = _stamp_and_frame_id(data)
        self.recording.arrivals[stamp] = 1e3 * (time.time() - stamp)
        self.recording.played = max(self.recording.played, int(number) + 1)

    def _overlays(self, data):
        self.recording.overlays.add(_stamp_and_frame_id(data)[0])

    def _timing(self, message):
        self.recording.columns = tuple(message.layout.dim[0].label.split(","))
        self.recording.rows.append(list(message.data))

    def _diagnose(self, message):
        for status in message.status:
            if status.name == "segmentation: inference":
                self.diagnostics += 1
                values = {pair.key: pair.value for pair in status.values}
                self.recording.dropped = int(values["frames dropped"])
                self.recording.failed = int(values["frames failed"])


def record(
    images: np.ndarray, model: str, threads: int, encoding: str, rate: float, frames: int, tell
) -> tuple[Recording, bool]:
    """Play `images` over and over to the node, in a ROS graph of its own.

    Args:
        images: uint8 [N, height, width, 3] in RGB.
        model: .tflite file, or the name of a shipped one; "" takes the default one of these.
        threads: of the inference.
        encoding: of the camera's messages, one of benchmark_camera's ENCODINGS.
        rate: frames a second.
        frames: to play.
        tell: called with the number of frames played, now and then.

    Returns:
        The recording, and whether Ctrl-C or SIGTERM ended it early.

    Raises:
        UserError: the node or the camera ended or cannot start; with its reason.
    """
    use_private_graph()
    use_large_image_profile()
    with contextlib.ExitStack() as ending:  # in reverse order, whatever happens
        run = _Run(ending)
        folder = ending.enter_context(tempfile.TemporaryDirectory())
        np.save(Path(folder) / "images.npy", images)
        node = run.start(
            "node",
            "shuffleseg_ros.segmentation_node",
            {"model": model, "num_threads": threads},
            until=lambda: run.probe.count_publishers("segmentation/labels"),
        )
        camera = run.start(
            "camera",
            "shuffleseg_ros.benchmark_camera",
            {
                "images": str(Path(folder) / "images.npy"),
                "encoding": encoding,
                "rate": float(rate),
                "num_frames": frames,
            },
            until=lambda: run.probe.recording.arrivals,
        )
        run.watch(node, camera, max(min(_PHASE, frames // 4), 1), tell)
        return run.probe.recording, run.interrupted


class _Run:
    """The processes and this program's own node. `ending`, an ExitStack, ends them."""

    def __init__(self, ending: contextlib.ExitStack):
        self.interrupted = False
        self._ending = ending
        self._processes: dict[str, RosProcess] = {}  # role → process
        # Noted only: a KeyboardInterrupt in the midst of rclpy's own work leaves that half done.
        for number in (signal.SIGINT, signal.SIGTERM):
            ending.callback(signal.signal, number, signal.signal(number, self._interrupt))
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        ending.callback(rclpy.try_shutdown)
        self.probe = _Probe()
        ending.callback(self.probe.destroy_node)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.probe)

    def _interrupt(self, signum, frame):
        self.interrupted = True

    def start(self, role: str, module: str, parameters: dict, until) -> RosProcess:
        """A process, once until() is true; after an interruption it does not wait for that."""
        process = self._processes[role] = RosProcess(module, parameters)
        self._ending.callback(process.stop)

        def begun():
            for name, one in self._processes.items():
                if not one.running() or one.errors():
                    raise UserError(_reason(name, one))
            return until()

        if not self._spin(begun, _START_TIMEOUT):
            raise UserError(f"nothing came of the {role} within {_START_TIMEOUT:.0f} s")
        return process

    def watch(self, node: RosProcess, camera: RosProcess, phase: int, tell) -> None:
        """Until the camera has played all; subscribers change every `phase` frames."""
        recording = self.probe.recording
        health = ProcessHealth(node.pid)
        changes = sampled = 0

        def over():
            nonlocal changes, sampled
            if not node.running():
                raise UserError(_reason("node", node))
            if recording.played // phase > changes:
                changes = recording.played // phase
                self.probe.change_subscribers()
            if time.monotonic() - sampled >= 1:
                sampled = time.monotonic()
                recording.health.append(health.sample())
                if (memory := recording.health[-1].resident_memory_mb) is not None:
                    recording.memory.append((recording.played, memory))
                tell(recording.played)
            return not camera.running()

        self._spin(over)
        if not self.interrupted and camera.stop() != 0:
            raise UserError(_reason("camera", camera))
        # The node may be at work on the last frame, and tells of it a while later.
        seen = self.probe.diagnostics
        self._spin(lambda: self.probe.diagnostics >= seen + 2, _END_TIMEOUT)
        tell(recording.played)

    def _spin(self, done, timeout: float = float("inf")) -> bool:
        """Until done() is true or Ctrl-C came; False where that took more than the timeout."""
        end = time.monotonic() + timeout
        while not (self.interrupted or done()):
            if time.monotonic() > end:
                return False
            self._executor.spin_once(timeout_sec=0.1)
        return True


def _reason(role: str, process: RosProcess) -> str:
    return f"the {role}: {'; '.join(process.errors()) or 'it ended and gave no reason'}"


def _stamp_and_frame_id(image: bytes) -> tuple[float, str]:
    """Of a serialised sensor_msgs/Image (CDR): stamp in seconds and frame_id."""
    order = "<" if image[1] & 1 else ">"
    sec, nanosec, length = struct.unpack_from(f"{order}iII", image, 4)
    return sec + 1e-9 * nanosec, image[16 : 16 + length - 1].decode()
