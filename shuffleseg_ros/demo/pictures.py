"""What the demo leaves to look at: a contact sheet, a video, a histogram of latencies."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

import cv2
import numpy as np

from shuffleseg_core.atomic_file import atomic_path
from shuffleseg_core.colorize import colorize, overlay
from shuffleseg_core.errors import UserError
from shuffleseg_core.image_file import write_png
from shuffleseg_core.label_map import LabelMap

_PANEL_WIDTH = 400
_SHEET_ROWS = 6
_NO_CLASS = 255
_TEXT = (230, 230, 230)


class Gallery:
    """Collects labelled frames on a thread of its own, so that measuring goes on undisturbed.

    Args:
        video: .mp4 file to write, camera beside overlay.
        label_map: colours and names.
        rate: frames a second of the video.

    Attributes:
        has_video: whether a video could be written.
    """

    def __init__(self, video: Path, label_map: LabelMap, rate: float):
        self._video = video
        self._label_map = label_map
        self._rate = rate
        self.has_video = False
        self._writer = None
        self._error = None
        self._frames: list[tuple] = []  # for the sheet; thinned out as they become many
        self._seen = 0
        self._stride = 1
        self._queue: queue.Queue = queue.Queue(maxsize=30)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def add(self, rgb: np.ndarray, labels: np.ndarray, truth: np.ndarray | None) -> None:
        """Take a frame; it is left out where the thread is far behind."""
        try:
            self._queue.put_nowait((rgb, labels, truth))
        except queue.Full:
            pass

    def close(self) -> None:
        """Finish the video. Raises what went wrong with the frames, if anything did."""
        self._queue.put(None)
        self._thread.join()
        if self._writer is not None:
            self._writer.release()
        if self._error is not None:
            raise self._error

    def contact_sheet(self, path: Path, title: str) -> None:
        """PNG of some frames, evenly over the drive: camera | mask | overlay (| truth)."""
        rows = []
        chosen = np.linspace(0, len(self._frames) - 1, min(_SHEET_ROWS, len(self._frames)))
        for rgb, labels, truth in (self._frames[round(i)] for i in chosen):
            panels = [
                rgb,
                colorize(labels, self._label_map),
                overlay(rgb, labels, self._label_map),
            ]
            if any(frame[2] is not None for frame in self._frames):
                shown = np.full_like(labels, _NO_CLASS) if truth is None else truth
                panels.append(colorize(shown, self._label_map))
            rows.append(np.hstack([_panel(panel) for panel in panels]))
        if not rows:
            return
        width = rows[0].shape[1]
        # A camera that changed its size makes rows of other heights, never of other widths.
        names = ["camera", "mask", "overlay", "ground truth"][: width // _PANEL_WIDTH]
        parts = [
            _caption(title, width, 0.5),
            np.hstack([_caption(name, _PANEL_WIDTH, 0.45) for name in names]),
            *rows,
            _legend(self._label_map, width),
        ]
        write_png(path, np.vstack(parts))

    def _work(self) -> None:
        while (frame := self._queue.get()) is not None:
            if self._error is None:  # else only make room, so that nobody waits for it
                try:
                    self._take(*frame)
                except Exception as error:
                    self._error = error

    def _take(self, rgb, labels, truth) -> None:
        if self._seen % self._stride == 0:
            self._frames.append((rgb.copy(), labels.copy(), truth))
            if len(self._frames) >= 4 * _SHEET_ROWS:
                self._frames = self._frames[::2]
                self._stride *= 2
        self._seen += 1
        self._write_video(rgb, labels)

    def _write_video(self, rgb, labels) -> None:
        pair = np.hstack([_panel(rgb), _panel(overlay(rgb, labels, self._label_map))])
        pair = pair[: pair.shape[0] // 2 * 2]
        if self._writer is None:
            self._size = pair.shape[1::-1]
            codec = cv2.VideoWriter_fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self._video), codec, self._rate, self._size)
            self.has_video = self._writer.isOpened()
        if not self.has_video:
            return
        if pair.shape[1::-1] != self._size:
            pair = cv2.resize(pair, self._size)
        self._writer.write(cv2.cvtColor(pair, cv2.COLOR_RGB2BGR))


def latency_histogram(path: Path, latencies_ms: np.ndarray, title: str) -> None:
    """PNG of how long frames took, with median and 95th percentile marked.

    Raises:
        UserError: the file cannot be written.
    """
    from matplotlib.figure import Figure  # without pyplot: no display needed

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    # A rare straggler must not squeeze all else into one bar.
    limit = float(np.percentile(latencies_ms, 99)) * 1.3
    shown = latencies_ms[latencies_ms <= limit]
    axes.hist(shown, bins=50, color="tab:blue")
    beyond = len(latencies_ms) - len(shown)
    if beyond:
        title += f" ({beyond} beyond the right edge, at most {latencies_ms.max():.0f} ms)"
    for percentile, style in ((50, "-"), (95, "--")):
        value = np.percentile(latencies_ms, percentile)
        axes.axvline(value, color="black", ls=style, label=f"p{percentile} {value:.1f} ms")
    axes.set(xlabel="camera stamp to label image received / ms", ylabel="frames", title=title)
    axes.legend()
    try:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=110)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error


def _panel(image: np.ndarray) -> np.ndarray:
    height = max(round(image.shape[0] * _PANEL_WIDTH / image.shape[1]), 2)
    shrinks = image.shape[1] > _PANEL_WIDTH
    return cv2.resize(
        image,
        (_PANEL_WIDTH, height),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST,
    )


def _caption(text: str, width: int, scale: float) -> np.ndarray:
    strip = np.zeros((24, width, 3), np.uint8)
    cv2.putText(strip, text, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, scale, _TEXT, 1, cv2.LINE_AA)
    return strip


def _legend(label_map: LabelMap, width: int) -> np.ndarray:
    columns = max(width // 150, 1)
    rows = -(-len(label_map) // columns)
    strip = np.zeros((24 * rows + 6, width, 3), np.uint8)
    for index, (name, color) in enumerate(zip(label_map.names, label_map.colors)):
        x, y = 6 + index % columns * 150, 6 + index // columns * 24
        cv2.rectangle(strip, (x, y), (x + 18, y + 14), color, -1)
        cv2.rectangle(strip, (x, y), (x + 18, y + 14), _TEXT, 1)
        cv2.putText(
            strip, name, (x + 25, y + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _TEXT, 1, cv2.LINE_AA
        )
    return strip
