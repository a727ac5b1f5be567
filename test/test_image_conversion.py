"""Image messages to pixels and back, for rclpy's messages and for those of rosbags."""

import array
import sys
import types

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shuffleseg_ros import image_conversion
from shuffleseg_ros.image_conversion import (
    SUPPORTED_ENCODINGS,
    ImageError,
    OutgoingImage,
    to_image,
    to_rgb,
)

CHANNELS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1}


def rclpy_types():
    sensor_msgs = pytest.importorskip("sensor_msgs.msg", reason="needs ROS 2")
    return sensor_msgs.Image, pytest.importorskip("std_msgs.msg").Header()


def rosbags_types():
    typesys = pytest.importorskip("rosbags.typesys", reason="needs rosbags")
    types = typesys.get_typestore(typesys.Stores.ROS2_HUMBLE).types
    stamp = types["builtin_interfaces/msg/Time"](1, 2)
    return types["sensor_msgs/msg/Image"], types["std_msgs/msg/Header"](stamp, "camera")


class Message:
    """The fields of sensor_msgs/Image; its data as rclpy holds them."""

    def __init__(self, pixels, encoding, padding=0):
        self.height, self.width = pixels.shape[:2]
        rows = pixels.reshape(self.height, -1)
        self.encoding = encoding
        self.header = None
        self.is_bigendian = 0
        self.step = rows.shape[1] + padding
        padded = np.full((self.height, self.step), 0xAA, np.uint8)
        padded[:, : rows.shape[1]] = rows
        self.data = array.array("B", padded.tobytes())


def random_pixels(encoding, height=7, width=5, seed=0):
    shape = (height, width, CHANNELS[encoding])
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def expected_rgb(pixels, encoding):
    if encoding == "mono8":
        return np.repeat(pixels, 3, axis=2)
    return pixels[..., :3] if encoding.startswith("rgb") else pixels[..., 2::-1]


@settings(deadline=None, max_examples=60)
@given(
    encoding=st.sampled_from(SUPPORTED_ENCODINGS),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    padding=st.integers(0, 9),
    seed=st.integers(0, 2**16),
)
def test_every_encoding_and_padding(encoding, height, width, padding, seed):
    pixels = random_pixels(encoding, height, width, seed)
    rgb = to_rgb(Message(pixels, encoding, padding))
    assert rgb.dtype == np.uint8 and rgb.shape == (height, width, 3)
    assert np.array_equal(rgb, expected_rgb(pixels, encoding))


@pytest.mark.parametrize("padding", [0, 3])
def test_rgb8_is_a_view(padding):
    message = Message(random_pixels("rgb8"), "rgb8", padding)
    rgb = to_rgb(message)
    message.data[0] ^= 0xFF
    assert rgb[0, 0, 0] == message.data[0]


def test_a_buffer_is_reused_where_it_fits():
    message = Message(random_pixels("bgr8"), "bgr8")
    out = np.empty((7, 5, 3), np.uint8)
    assert to_rgb(message, out=out) is out
    other = np.empty((5, 7, 3), np.uint8)
    assert np.array_equal(to_rgb(message, out=other), out)


def broken(**changes):
    message = Message(random_pixels("bgr8"), "bgr8")
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    "message, kind, words",
    [
        (broken(encoding="nonsense"), "encoding", "'nonsense'.*rgb8, bgr8, rgba8, bgra8, mono8"),
        (broken(encoding=""), "encoding", "unsupported encoding"),
        (broken(data=array.array("B", bytes(104))), "data", "truncated.*104 bytes.*need 105"),
        (broken(data=array.array("B")), "data", "truncated data: 0 bytes"),
        (broken(height=2**31), "data", "truncated"),
        (broken(step=14), "step", "step of 14 .*smaller than a row.*15 bytes"),
        (broken(step=0), "step", "step of 0"),
        (broken(width=2**31), "step", "smaller than a row"),
        (broken(height=0), "size", "zero size: 5x0"),
        (broken(width=0, step=0, data=array.array("B")), "size", "zero size: 0x7"),
    ],
)
def test_no_image_is_one_clear_line(message, kind, words):
    with pytest.raises(ImageError, match=words) as caught:
        to_rgb(message)
    assert caught.value.kind == kind
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


class FakeBridge:
    """Like cv_bridge: takes no notice of the step."""

    def encoding_to_dtype_with_channels(self, encoding):
        if encoding != "16UC1":
            raise RuntimeError(f"{encoding} is unknown\nand more")
        return "uint16", 1

    def imgmsg_to_cv2(self, message, desired):
        assert desired == "rgb8"
        values = np.frombuffer(message.data, np.uint16).reshape(message.height, message.width)
        return np.dstack([(values >> 8).astype(np.uint8)] * 3)


@pytest.fixture
def cv_bridge(monkeypatch):
    module = types.SimpleNamespace(CvBridge=FakeBridge)
    monkeypatch.setitem(sys.modules, "cv_bridge", module)
    image_conversion._cv_bridge.cache_clear()
    yield
    image_conversion._cv_bridge.cache_clear()


def test_other_encodings_go_through_cv_bridge(cv_bridge):
    image_type, header = rclpy_types()
    values = np.arange(12, dtype=np.uint16).reshape(3, 4) << 8
    message = image_type(header=header, height=3, width=4, encoding="16UC1", step=10)
    message.data = array.array("B", b"".join(row.tobytes() + b"xx" for row in values))
    assert np.array_equal(to_rgb(message), np.dstack([np.arange(12).reshape(3, 4)] * 3))
    message.data = message.data[:-1]
    with pytest.raises(ImageError, match="truncated"):
        to_rgb(message)
    message.encoding = "nonsense"
    with pytest.raises(ImageError, match="unsupported encoding 'nonsense'"):
        to_rgb(message)


def test_without_cv_bridge_its_absence_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    image_conversion._cv_bridge.cache_clear()
    with pytest.raises(ImageError, match="others need cv_bridge"):
        to_rgb(broken(encoding="mono16"))
    image_conversion._cv_bridge.cache_clear()


@pytest.mark.parametrize("make_types", [rclpy_types, rosbags_types])
@pytest.mark.parametrize("encoding", ["rgb8", "mono8"])
def test_there_and_back(make_types, encoding):
    image_type, header = make_types()
    pixels = random_pixels(encoding).squeeze()
    message = to_image(pixels, encoding, header, image_type)
    assert message.header == header
    assert (message.height, message.width, message.step) == (7, 5, 5 * CHANNELS[encoding])
    assert np.array_equal(to_rgb(message), expected_rgb(pixels.reshape(7, 5, -1), encoding))


def test_rows_that_are_apart_are_packed():
    image_type, header = rclpy_types()
    wide = random_pixels("rgb8", 7, 10)
    message = to_image(wide[:, 2:6], "rgb8", header, image_type)
    assert np.array_equal(to_rgb(message), wide[:, 2:6])


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 4), np.uint8)],
)
def test_only_fitting_pixels_are_sent(pixels):
    with pytest.raises(ValueError, match="cannot be sent as rgb8"):
        to_image(pixels, "rgb8", None, None)


def test_an_outgoing_image_keeps_its_memory_until_the_size_changes():
    image_type, header = rclpy_types()
    outgoing = OutgoingImage("rgb8", image_type)
    for height, width in ((7, 5), (7, 5), (4, 6)):
        pixels = random_pixels("rgb8", height, width, seed=width)
        memory = outgoing.pixels(height, width)
        assert outgoing.pixels(height, width) is memory
        memory[...] = pixels
        assert np.array_equal(to_rgb(outgoing.message(header)), pixels)


def test_the_bytes_are_what_opencv_makes_of_them():
    pixels = random_pixels("bgra8", 30, 40)
    assert np.array_equal(
        to_rgb(Message(pixels, "bgra8", 4)), cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB)
    )
