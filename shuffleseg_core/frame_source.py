"""Frames from folders of images, videos and recordings, one after another."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from .errors import UserError
from .image_file import is_image_file, read_labels, read_rgb
from .user_path import user_path

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".mjpeg")


#: Modules with is_recording(path) → bool and open_recording(path, topic or None) → FrameSource that
#: has a `path`.
GROUP = "shuffleseg.recordings"

#: So many failed reads in a row are the end of a video.
_DAMAGED_FRAMES = 10


@dataclass(frozen=True)
class Frame:
    """One camera frame, or the news that one could not be read.

    Attributes:
        name: file stem or running number; names a frame's output files.
        image: uint8 [H, W, 3] RGB; None where the frame is unreadable.
        error: why it is unreadable, in one line; None where it is fine.
        truth: uint8 [H, W] class ids, where the source has them.
        time: seconds since the source's first frame, where the source knows.
    """

    name: str
    image: np.ndarray | None
    error: str | None = None
    truth: np.ndarray | None = None
    time: float | None = None


class FrameSource(Protocol):
    """Frames in order; may be iterated again and again.

    Attributes:
        truth: whether frames carry ground truth.
        rate: frames per second that it was recorded at, None where unknown.
    """

    truth: bool
    rate: float | None

    def __iter__(self) -> Iterator[Frame]: ...

    def __len__(self) -> int: ...


class ImageFolder:
    """The image files of a folder, by name; with truth where `../labels` holds their ids.

    So DIR/images/x.jpg finds DIR/labels/x.png, as in CamVid's layout.

    Args:
        folder: holds the images.
        with_truth: False leaves labels unread.

    Attributes:
        files: the image files in order.

    Raises:
        UserError: no such folder, or no image in it.
    """

    rate = None

    def __init__(self, folder: str | os.PathLike, with_truth: bool = True):
        self.folder = Path(folder)
        try:
            self.files = sorted(path for path in self.folder.iterdir() if is_image_file(path))
        except OSError as error:
            raise UserError(f"{folder}: cannot be read: {error.strerror}") from error
        if not self.files:
            inside = self.folder / "images"
            hint = inside if inside.is_dir() else "one with .jpg or .png files"
            raise UserError(f"{folder}: no images in this folder; give {hint}")
        labels = self.folder.resolve().parent / "labels"
        self._labels = labels
        self.truth = (
            with_truth
            and self.folder.resolve().name == "images"
            and any((labels / f"{path.stem}.png").is_file() for path in self.files)
        )

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[Frame]:
        return (self._read(path) for path in self.files)

    def _read(self, path: Path) -> Frame:
        try:
            image = read_rgb(path)
        except UserError as error:
            return Frame(path.stem, None, error=str(error))
        return Frame(path.stem, image, truth=self._read_truth(path, image))

    def _read_truth(self, path: Path, image: np.ndarray) -> np.ndarray | None:
        """Ids of the image's size; anything else in that place is somebody's other masks."""
        if not self.truth:
            return None
        try:
            labels = read_labels(self._labels / f"{path.stem}.png")
        except UserError:
            return None
        return labels if labels.shape == image.shape[:2] else None


class ImageFile:
    """One image file as a source of one frame. An unreadable file is a UserError.

    Attributes:
        files: that file.
    """

    truth = False
    rate = None

    def __init__(self, path: str | os.PathLike):
        self.files = [Path(path)]
        self._image = read_rgb(path)

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[Frame]:
        yield Frame(self.files[0].stem, self._image)


class VideoFile:
    """The frames of a video, named by running number.

    Args:
        path: a video that OpenCV can decode.

    Raises:
        UserError: it cannot.
    """

    truth = False

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        capture = self._open()
        self.rate = capture.get(cv2.CAP_PROP_FPS) or None
        self._count = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
        readable = capture.read()[0]
        capture.release()
        if not readable:
            raise UserError(f"{path}: not a readable video; OpenCV decodes none of its frames")

    def __len__(self) -> int:
        """Frames by the container's count, which some containers only estimate."""
        return self._count

    def __iter__(self) -> Iterator[Frame]:
        capture = self._open()
        try:
            index = damaged = 0
            while damaged < _DAMAGED_FRAMES:
                readable, image = capture.read()
                if readable:
                    # The next read got over these: they are damaged, it is not the end.
                    for bad in range(index - damaged, index):
                        yield Frame(f"{bad:06d}", None, error=f"{self.path}: frame {bad} damaged")
                    damaged = 0
                    seconds = index / self.rate if self.rate else None
                    rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
                    yield Frame(f"{index:06d}", rgb, time=seconds)
                else:
                    damaged += 1
                index += 1
            read = index - damaged
            # The count of some containers is an estimate; far off it, the file was cut short.
            if read + damaged < self._count:
                error = f"{self.path}: ends after {read} of {self._count} frames"
                yield Frame(f"{read:06d}", None, error=error)
        finally:
            capture.release()

    def _open(self):
        return cv2.VideoCapture(str(self.path))


def open_frames(
    path: str | os.PathLike, with_truth: bool = True, topic: str | None = None
) -> FrameSource:
    """A folder of images, one image, a video or a recording, as a source of frames.

    Recordings are what the installed modules of the entry-point group `GROUP` read.

    Args:
        path: "~" stands for the home folder.
        with_truth: False leaves a folder's labels unread.
        topic: the images to take of a recording that has several.

    Raises:
        UserError: no such path, an empty folder, or a file that is neither.
    """
    path = user_path(path)
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file or folder") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    for entry in entry_points(group=GROUP):
        try:
            recording = entry.load()
        except ImportError:  # what it needs is not installed
            continue
        if recording.is_recording(path):
            return recording.open_recording(path, topic)
    if is_folder:
        return ImageFolder(path, with_truth)
    if is_image_file(path):
        return ImageFile(path)
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return VideoFile(path)
    raise UserError(
        f"{path}: neither an image nor a video by its name; "
        f"videos end in {', '.join(VIDEO_SUFFIXES)}"
    )
