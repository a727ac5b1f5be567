"""Runs the demo from start to summary."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from shuffleseg_core.errors import UserError
from shuffleseg_core.json_output import write_json
from shuffleseg_core.model_description import read_description
from shuffleseg_core.segmenter import Segmenter
from shuffleseg_core.shipped_models import find_model
from shuffleseg_core.tflite_file import TFLiteFile
from shuffleseg_core.user_path import user_path

from ..fastdds_profile import use_large_image_profile
from .monitor import Monitor
from .pictures import Gallery, latency_histogram
from .processes import RosProcess, use_private_graph

RESULTS = ("contact_sheet.png", "video.mp4", "latency.png", "summary.json")
_START_TIMEOUT = 60.0  # seconds until the first label image; seconds are usual


class _Interruption:
    """Ctrl-C or SIGTERM as a KeyboardInterrupt, but never in the midst of rclpy's own work.

    Raised there, it may arrive where C++ calls Python, which drops it, or leave an executor
    half-way, and the clean-up that spins it once more then fails.
    """

    def __init__(self):
        self._held = self._pending = False

    def arrived(self, signum, frame) -> None:
        self._pending = True
        if not self._held:
            self.raise_if_pending()

    def raise_if_pending(self) -> None:
        if self._pending:
            self._pending = False
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def held(self):
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self.raise_if_pending()


_interruption = _Interruption()


def run_demo(
    drive: str, output: str, model: str, seconds: float, rate: float, threads: int
) -> dict:
    """Play a drive to the node for `seconds` and leave the results in `output`.

    Args:
        drive: folder of images, video or rosbag2; "" plays the synthetic drive. Played again
            from its start as often as the time allows.
        output: folder for contact_sheet.png, video.mp4, latency.png and summary.json.
        model: .tflite file, or the name of a shipped one; "" takes the default one of these.
        seconds: how long, from the first label image on.
        rate: frames a second that the player publishes; 0 keeps the drive's own timing.
        threads: of the inference.

    Returns:
        The summary, as written to summary.json.

    Raises:
        UserError: node or player cannot start (its reason is passed on), or nothing is labelled.
        KeyboardInterrupt: Ctrl-C or SIGTERM; what was labelled until then is in `output`.
    """
    folder = user_path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}") from error
    for file in RESULTS:  # what lies there afterwards is of this run
        (folder / file).unlink(missing_ok=True)
    use_private_graph()
    use_large_image_profile()
    model_path = find_model(model)
    label_map = _label_map(model_path)

    with contextlib.ExitStack() as ending:  # in reverse order, whatever happens
        for number in (signal.SIGINT, signal.SIGTERM):
            ending.callback(signal.signal, number, signal.signal(number, _interruption.arrived))
        # Held, so that each process and each part of rclpy is there with its end, or not at all.
        with _interruption.held():
            node = RosProcess(
                "shuffleseg_ros.segmentation_node", {"model": model, "num_threads": threads}
            )
            ending.callback(node.stop)
            player = RosProcess(
                "shuffleseg_ros.drive_player",
                # Node and monitor: what is played is labelled and counted from the first frame on.
                {"drive": drive, "rate": float(rate), "loop": True, "wait_for_subscribers": 2},
            )
            ending.callback(player.stop)
            gallery = Gallery(folder / "video.mp4", label_map, rate or 15.0)
            ending.callback(gallery.close)
            # Without ROS's own handlers: Ctrl-C is a KeyboardInterrupt here and nothing else.
            rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
            ending.callback(rclpy.try_shutdown)
            monitor = Monitor(label_map, gallery.add)
            ending.callback(monitor.destroy_node)
            executor = SingleThreadedExecutor()
            executor.add_node(monitor)
            # Frames under way when the player stopped are still to be counted.
            ending.callback(_spin, executor, 0.5)
            ending.callback(player.stop)
        resident: list[float] = []
        interrupted = False
        try:
            _wait_for_first_label(executor, monitor, node, player)
            first_label_s = monitor.first_label - node.started
            print(f"first label {first_label_s:.1f} s after the node's start", flush=True)
            _watch(executor, monitor, node, player, seconds, resident)
        except KeyboardInterrupt:
            if not monitor.frames_labelled:
                raise
            interrupted = True
            first_label_s = monitor.first_label - node.started
    node_status = node.stop()
    if node_status != 0:
        raise UserError(f"the node ended with status {node_status}: {_reason(node)}")

    latencies = 1e3 * np.array(monitor.latencies)
    p50, p95 = np.percentile(latencies, (50, 95))
    dropped = int(monitor.diagnostics.get("frames dropped", 0))
    failed = int(monitor.diagnostics.get("frames failed", 0))
    name = drive or "synthetic drive"
    summary = {
        "frames_played": monitor.frames_played,
        "frames_labelled": monitor.frames_labelled,
        "frames_dropped": dropped,
        "frames_failed": failed,
        # In the middleware, or still under way when the player stopped.
        "frames_lost": max(monitor.frames_played - monitor.frames_labelled - dropped - failed, 0),
        "latency_ms": {"p50": float(p50), "p95": float(p95), "max": float(latencies.max())},
        # Of the node, from receiving an image to its labels published, over the bare
        # Segmenter.segment of the same frames; median of the node's own reports. The other counts
        # from when the node was done with the frame before.
        "overhead_ratio": _median(monitor.overheads),
        "overhead_ratio_without_wait": _median(monitor.overheads_without_wait),
        "rss_mb": max(resident) if resident else None,
        "first_label_s": first_label_s,
        "miou": monitor.miou(),
        "drive": name,
        "rate_hz": rate or None,
        "model": model_path.name,
        "threads": threads,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    write_json(str(folder / "summary.json"), summary)
    latency_histogram(
        folder / "latency.png", latencies, f"{name}: {monitor.frames_labelled} frames"
    )
    score = "" if summary["miou"] is None else f", mIoU {100 * summary['miou']:.1f} %"
    gallery.contact_sheet(
        folder / "contact_sheet.png",
        f"{name}: {model_path.name}, latency p50 {p50:.0f} ms{score}",
    )
    _report(summary, folder, gallery.has_video)
    if interrupted:
        raise KeyboardInterrupt
    return summary


def _label_map(model_path: Path):
    """Names and colours of a model, without keeping an interpreter in this process."""
    description = read_description(TFLiteFile(model_path))
    return description.label_map if description else Segmenter(model_path).label_map


def _spin(executor, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        with _interruption.held():
            executor.spin_once(timeout_sec=min(left, 0.1))


def _check(node: RosProcess, player: RosProcess) -> None:
    for process, role in ((node, "node"), (player, "player")):
        if not process.running():
            raise UserError(f"the {role} ended: {_reason(process)}")


def _reason(process: RosProcess) -> str:
    return "; ".join(process.errors()) or "it gave no reason"


def _wait_for_first_label(executor, monitor, node, player) -> None:
    end = time.monotonic() + _START_TIMEOUT
    while monitor.first_label is None:
        _check(node, player)
        if not_configured := [line for line in node.errors() if "cannot configure" in line]:
            raise UserError(f"the node: {not_configured[0]}")
        if time.monotonic() > end:
            raise UserError(
                f"no label image within {_START_TIMEOUT:.0f} s; player: {_reason(player)}, "
                f"node: {_reason(node)}"
            )
        _spin(executor, 0.2)


def _watch(executor, monitor, node, player, seconds: float, resident: list[float]) -> None:
    """Print a line a second."""
    start = time.monotonic()
    for second in range(1, round(seconds) + 1):
        before = monitor.frames_labelled
        _spin(executor, start + second - time.monotonic())
        _check(node, player)
        if (megabytes := node.resident_mb()) is not None:
            resident.append(megabytes)
        new = monitor.frames_labelled - before
        line = f"{second:3d} s  {new:3d} fps"
        if new:
            p50, p95 = np.percentile(1e3 * np.array(monitor.latencies[-new:]), (50, 95))
            line += f"  latency p50 {p50:6.1f} ms  p95 {p95:6.1f} ms"
        dropped = monitor.diagnostics.get("frames dropped", "0")
        print(f"{line}  dropped {dropped}", flush=True)


def _median(values: list[float]) -> float | None:
    return float(np.median(values)) if values else None


def _report(summary: dict, folder: Path, has_video: bool) -> None:
    def number(value, form):
        return "unknown" if value is None else format(value, form)

    print(
        f"{summary['frames_labelled']} of {summary['frames_played']} frames labelled; node "
        f"overhead {number(summary['overhead_ratio'], '.3f')} x bare segment(), "
        f"{number(summary['rss_mb'], '.0f')} MB resident"
    )
    if summary["miou"] is not None:
        print(f"mIoU against the drive's ground truth: {100 * summary['miou']:.1f} %")
    if not has_video:
        print("no video: this OpenCV cannot write mp4v")
    video = "video.mp4, " if has_video else ""
    print(f"look at {folder}/contact_sheet.png, {video}latency.png, summary.json")
