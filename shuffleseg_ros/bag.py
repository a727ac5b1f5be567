"""rosbag2 recordings: their camera frames, and writing frames as a recording.

Both go through the rosbags library, so neither needs a ROS installation.
"""

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from shuffleseg_core.errors import UserError
from shuffleseg_core.frame_source import Frame
from shuffleseg_core.user_path import user_path
from shuffleseg_ros.camera_info import pinhole_fields
from shuffleseg_ros.image_conversion import ImageError, decode, to_image, to_rgb

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
STORAGES = ("sqlite3", "mcap")
# Of the versions that rosbags writes, 8 is the one whose QoS entries every release from Humble to
# Kilted reads; 9 has a form that Humble refuses.
BAG_VERSION = 8
DEFAULT_RATE = 15.0

_STORAGE_SUFFIXES = (".mcap", ".db3")


def is_bag(path):
    """True for a rosbag2 directory and for a storage file (.mcap, .db3)."""
    if os.path.isfile(path):
        return Path(path).suffix in _STORAGE_SUFFIXES
    return os.path.isfile(os.path.join(path, "metadata.yaml")) or bool(_storage_files(path))


class BagFrames:
    """A FrameSource over one image topic of a rosbag2.

    Raw and compressed images. Frame.time is the recording's, from its first image on; a message
    that is no usable image gives a Frame with `error`. Can be iterated again and again.

    Attributes:
        path: of the bag.
        topic: the one in use.
        start: time of its first image in nanoseconds since 1970, None before that was read.
    """

    truth = False
    rate = None  # every frame has its own time
    start = None

    def __init__(self, path, topic=None):
        """`topic` may be left out where the bag has one image topic. Raises UserError."""
        self.path = user_path(path)
        with open_bag(self.path) as reader:
            topics = {connection.topic: connection.msgtype for connection in reader.connections}
            images = [name for name, kind in topics.items() if kind in (IMAGE, COMPRESSED_IMAGE)]
            self.topic = self._choose_topic(topic, images)
            self._count = sum(
                connection.msgcount
                for connection in reader.connections
                if connection.topic == self.topic
            )
        if not self._count:
            raise UserError(f"{self.path}: no messages on {self.topic}")

    def __len__(self):
        return self._count

    def __iter__(self):
        from rosbags.typesys import Stores, get_typestore

        typestore = get_typestore(Stores.ROS2_HUMBLE)  # images are the same in every release
        with open_bag(self.path) as reader:
            connections = [c for c in reader.connections if c.topic == self.topic]
            start = None
            messages = until_broken(reader.messages(connections))
            for index, (connection, nanoseconds, raw) in enumerate(messages):
                if connection is None:  # raw tells why there are no more
                    yield Frame(f"{index:06d}", None, error=f"{self.path}: {raw}")
                    return
                if start is None:
                    self.start = start = nanoseconds
                image, error = None, None
                try:
                    image = message_to_rgb(typestore.deserialize_cdr(raw, connection.msgtype))
                except ImageError as reason:
                    error = f"{self.path}: {self.topic}: message {index}: {reason}"
                except Exception as reason:  # rosbags raises many kinds for a damaged message
                    error = (
                        f"{self.path}: {self.topic}: message {index} is damaged: "
                        f"{_one_line(reason)}"
                    )
                yield Frame(f"{index:06d}", image, error, None, (nanoseconds - start) / 1e9)

    def _choose_topic(self, topic, images):
        listed = ", ".join(sorted(images)) or "none"
        if topic:
            if topic not in images:
                raise UserError(f"{self.path}: no image topic {topic}; its image topics: {listed}")
            return topic
        if len(images) != 1:
            what = "more than one image topic; choose by topic" if images else "no image topic"
            raise UserError(f"{self.path}: {what}; its image topics: {listed}")
        return images[0]


@contextlib.contextmanager
def open_bag(path):
    """A rosbags Reader of a bag, or of the one storage file of a recording that was not closed.

    Raises UserError.
    """
    rosbag2 = import_rosbags()
    if os.path.isdir(path) and not os.path.isfile(path / "metadata.yaml"):
        files = _storage_files(path)  # a recording that was not closed
        if len(files) != 1:
            raise UserError(f"{path}: no rosbag2 (no metadata.yaml in it)")
        path = files[0]
    try:
        reader = rosbag2.Reader(path)
        reader.open()
    except Exception as error:
        raise UserError(f"{path}: cannot be read as a rosbag2: {_one_line(error)}") from error
    with contextlib.closing(reader):
        yield reader


def write_bag(
    frames,
    path,
    *,
    rate=None,
    topic="/camera/image",
    frame_id="camera_optical_frame",
    storage="sqlite3",
    horizontal_fov=60.0,
    start=None,
    on_unreadable=None,
):
    """Write frames as a new rosbag2 directory with Image and CameraInfo topics.

    frames: iterable of Frame. path: must not exist; appears only when it is complete.
    rate: frames a second; None: Frame.time where frames have one, else 15.
    topic: of the images (rgb8); the CameraInfo goes to `camera_info` beside it.
    storage: sqlite3 or mcap. start: time of the first frame in seconds since 1970, None: now.
    on_unreadable: called with the error of a frame without image, whose place in time stays empty.

    Returns the number of images written. Raises UserError if there is none, or path exists.
    """
    rosbag2 = import_rosbags()
    path = user_path(path)
    if os.path.lexists(path):
        raise UserError(f"{path}: exists already; remove it or choose another name")
    if storage not in STORAGES:
        raise UserError(f"{storage}: no such storage; choose one of {', '.join(STORAGES)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The storage's file is named after its directory, so that keeps its name while unfinished.
        workplace = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        unfinished = workplace / path.name
        plugin = rosbag2.StoragePlugin[storage.upper()]
        with rosbag2.Writer(unfinished, version=BAG_VERSION, storage_plugin=plugin) as writer:
            count = _write_frames(
                writer,
                frames,
                rate=rate,
                topic=topic,
                frame_id=frame_id,
                horizontal_fov=horizontal_fov,
                start=time.time() if start is None else start,
                on_unreadable=on_unreadable,
            )
            if not count:
                raise UserError(f"{path}: not written: there is no readable frame")
        os.rename(unfinished, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
    return count


def _write_frames(writer, frames, *, rate, topic, frame_id, horizontal_fov, start, on_unreadable):
    from rosbags.typesys import Stores, get_typestore

    typestore = get_typestore(Stores.ROS2_HUMBLE)
    kinds = typestore.types
    region = kinds["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    qos = offered_qos()
    images, infos = (
        writer.add_connection(name, kind, typestore=typestore, offered_qos_profiles=[qos])
        for name, kind in ((topic, IMAGE), (topic.rpartition("/")[0] + "/camera_info", CAMERA_INFO))
    )
    count = 0
    for index, frame in enumerate(frames):
        if frame.image is None:
            if on_unreadable:
                on_unreadable(frame.error)
            continue
        since_start = (
            frame.time
            if rate is None and frame.time is not None
            else (index / (rate or DEFAULT_RATE))
        )
        stamp = round(start * 1e9) + round(since_start * 1e9)
        header = kinds["std_msgs/msg/Header"](
            kinds["builtin_interfaces/msg/Time"](stamp // 10**9, stamp % 10**9), frame_id
        )
        image = to_image(frame.image, "rgb8", header, kinds[IMAGE])
        fields = pinhole_fields(image.width, image.height, horizontal_fov)
        info = kinds[CAMERA_INFO](
            header=header,
            binning_x=0,
            binning_y=0,
            roi=region,
            **{
                key: np.array(value) if isinstance(value, list) else value
                for key, value in fields.items()
            },
        )
        writer.write(images, stamp, typestore.serialize_cdr(image, IMAGE))
        writer.write(infos, stamp, typestore.serialize_cdr(info, CAMERA_INFO))
        count += 1
    return count


def offered_qos():
    """Reliable, volatile, keep last 5: what ros2 bag play then offers to its subscribers."""
    from rosbags import interfaces as qos

    no_limit = qos.QosTime(0, 0)
    return qos.Qos(
        history=qos.QosHistory.KEEP_LAST,
        depth=5,
        reliability=qos.QosReliability.RELIABLE,
        durability=qos.QosDurability.VOLATILE,
        deadline=no_limit,
        lifespan=no_limit,
        liveliness=qos.QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=no_limit,
        avoid_ros_namespace_conventions=False,
    )


def message_to_rgb(message):
    if hasattr(message, "encoding"):
        return to_rgb(message)
    pixels, _ = decode(message)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def until_broken(messages):
    """The messages; where the file cannot be read any further, (None, None, reason) as the last."""
    try:
        yield from messages
    except Exception as error:
        yield None, None, f"the rest cannot be read: {_one_line(error)}"


def _storage_files(path):
    """The storage files in a directory; none where it is no directory, or not a readable one."""
    try:
        return [file for file in Path(path).iterdir() if file.suffix in _STORAGE_SUFFIXES]
    except OSError:
        return []


def import_rosbags():
    try:
        from rosbags import rosbag2
    except ImportError as error:
        raise UserError("rosbag2 files need the rosbags library: pip install rosbags") from error
    return rosbag2


def _one_line(error):
    return " ".join(str(error).split()) or type(error).__name__
