"""Image messages to pixels and back, for rclpy's messages and for those of rosbags."""

import array
import itertools
import struct
import sys
import types
import zlib

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
    decode,
    to_image,
    to_pixels,
    to_rgb,
)

BYTES = {
    **{"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "mono16": 2},
    **{"8UC1": 1, "8UC3": 3, "8UC4": 4, "16UC1": 2},
    **{"yuv422": 2, "uyvy": 2, "yuv422_yuy2": 2, "yuyv": 2},
    **{"bayer_rggb8": 1, "bayer_bggr8": 1, "bayer_gbrg8": 1, "bayer_grbg8": 1},
}
# What cv_bridge calls those that it does not convert, or not by that name.
CV_BRIDGE_NAME = {
    **{"8UC1": "mono8", "8UC3": "bgr8", "8UC4": "bgra8", "16UC1": "mono16"},
    **{"uyvy": "yuv422", "yuyv": "yuv422_yuy2"},
}
# getConversionCodes() in cv_bridge.cpp, as far as it goes to RGB.
CV_BRIDGE_CODES = {
    "mono8": cv2.COLOR_GRAY2RGB,
    "mono16": cv2.COLOR_GRAY2RGB,
    "bgr8": cv2.COLOR_BGR2RGB,
    "rgba8": cv2.COLOR_RGBA2RGB,
    "bgra8": cv2.COLOR_BGRA2RGB,
    "yuv422": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2,
    "bayer_rggb8": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr8": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg8": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg8": cv2.COLOR_BayerGB2RGB,
}


def rclpy_types():
    sensor_msgs = pytest.importorskip("sensor_msgs.msg", reason="needs ROS 2")
    return sensor_msgs.Image, pytest.importorskip("std_msgs.msg").Header()


def rosbags_types():
    typesys = pytest.importorskip("rosbags.typesys", reason="needs rosbags")
    types = typesys.get_typestore(typesys.Stores.ROS2_HUMBLE).types
    stamp = types["builtin_interfaces/msg/Time"](1, 2)
    return types["sensor_msgs/msg/Image"], types["std_msgs/msg/Header"](stamp, "camera")


class Message:
    """The fields of sensor_msgs/Image; its data as rclpy holds them.

    pixels: uint8 [height, width, bytes a pixel].
    """

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
    shape = (height, width, BYTES[encoding])
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def expected_rgb(pixels, encoding):
    """By the meaning of the bytes; of those with colours between the pixels: as cv_bridge."""
    name = CV_BRIDGE_NAME.get(encoding, encoding)
    if name == "mono8":
        return np.repeat(pixels, 3, axis=2)
    if name == "mono16":  # little-endian
        values = pixels[..., 0] + 256 * pixels[..., 1].astype(int)
        return np.dstack([np.rint(values * 255 / 65535).astype(np.uint8)] * 3)
    if name.startswith(("rgb", "bgr")):
        return pixels[..., :3] if name.startswith("rgb") else pixels[..., 2::-1]
    samples = np.ascontiguousarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)
    return cv2.cvtColor(samples, CV_BRIDGE_CODES[name])


def test_every_encoding_is_tried():
    assert set(SUPPORTED_ENCODINGS) == set(BYTES)


@settings(deadline=None, max_examples=200)
@given(
    encoding=st.sampled_from(SUPPORTED_ENCODINGS),
    height=st.integers(3, 9),
    width=st.integers(3, 9),
    padding=st.integers(0, 9),
    seed=st.integers(0, 2**16),
    with_out=st.booleans(),
)
def test_every_encoding_and_padding(encoding, height, width, padding, seed, with_out):
    width += width % 2 and BYTES[encoding] == 2
    pixels = random_pixels(encoding, height, width, seed)
    message = Message(pixels, encoding, padding)
    out = np.empty((height, width, 3), np.uint8) if with_out else None
    for rgb in (to_rgb(message, out), to_rgb(message, np.empty((1, 1, 3), np.uint8))):
        assert rgb.dtype == np.uint8 and rgb.shape == (height, width, 3)
        assert np.array_equal(rgb, expected_rgb(pixels, encoding))


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8", "mono8", "mono16"])
@pytest.mark.parametrize("height, width", [(1, 1), (1, 4), (4, 1)])
def test_a_single_pixel_row_or_column(encoding, height, width):
    pixels = random_pixels(encoding, height, width)
    assert np.array_equal(to_rgb(Message(pixels, encoding, 1)), expected_rgb(pixels, encoding))


@pytest.mark.parametrize("encoding", ["mono16", "16UC1"])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_big_endian(encoding, padding):
    values = np.arange(65536, dtype=">u2").reshape(256, 256)
    message = Message(values.view(np.uint8).reshape(256, 256, 2), encoding, padding)
    message.is_bigendian = 1
    expected = np.rint(values.astype(float) * 255 / 65535)
    assert np.array_equal(to_rgb(message), np.dstack([expected] * 3))


@pytest.mark.parametrize("encoding", SUPPORTED_ENCODINGS)
def test_byte_order_of_bytes_is_none(encoding):
    message = Message(random_pixels(encoding, 6, 6), encoding)
    little = to_rgb(message)
    message.is_bigendian = 1
    assert np.array_equal(to_rgb(message), little) == (encoding not in ("mono16", "16UC1"))


@pytest.mark.parametrize("encoding", ["bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8"])
def test_bayer_letters_are_the_first_rows_of_the_sensor(encoding):
    color = {"r": 200, "g": 120, "b": 30}
    tile = np.array([color[letter] for letter in encoding[6:10]], np.uint8).reshape(2, 2)
    message = Message(np.tile(tile, (4, 4))[:7, :7, None], encoding)
    assert (to_rgb(message) == (200, 120, 30)).all()


@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv"])
def test_yuv_is_that_of_bt_601(encoding):
    r, g, b = (x.astype(float) for x in random_pixels("rgb8", 8, 16, seed=3).transpose(2, 0, 1))
    r, g, b = (np.repeat(x[:, ::2], 2, axis=1) for x in (r, g, b))  # pairs share their colour
    y = 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255
    u = 128 + (-37.797 * r - 74.203 * g + 112 * b) / 255
    v = 128 + (112 * r - 93.786 * g - 18.214 * b) / 255
    chroma = np.where(np.arange(16) % 2 == 0, u, v)
    order = (chroma, y) if encoding in ("yuv422", "uyvy") else (y, chroma)
    rgb = to_rgb(Message(np.rint(np.dstack(order)).astype(np.uint8), encoding))
    assert np.abs(rgb - np.dstack([r, g, b])).max() <= 3


def test_equal_to_cv_bridge():
    """Whose older releases take no notice of padding, so it gets rows without."""
    cv_bridge = pytest.importorskip("cv_bridge", reason="needs cv_bridge")
    bridge, unknown = cv_bridge.CvBridge(), set()
    for encoding, is_bigendian in itertools.product(SUPPORTED_ENCODINGS, (0, 1)):
        pixels = random_pixels(encoding, 48, 64)
        padded, packed = Message(pixels, encoding, 3), Message(pixels, encoding)
        padded.is_bigendian = packed.is_bigendian = is_bigendian
        packed.encoding = CV_BRIDGE_NAME.get(encoding, encoding)
        try:
            expected = bridge.imgmsg_to_cv2(packed, "rgb8")
        except cv_bridge.CvBridgeError:
            unknown.add(packed.encoding)
            continue
        assert np.array_equal(to_rgb(padded), expected), (encoding, is_bigendian)
    assert unknown <= {"yuv422_yuy2"}  # ROS 1 had none


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("encoding, order", [("rgb8", "rgb"), ("bgr8", "bgr"), ("8UC3", "bgr")])
def test_common_encodings_are_views_in_their_own_order(encoding, order, padding):
    pixels = random_pixels(encoding)
    message = Message(pixels, encoding, padding)
    seen, seen_order = to_pixels(message, out=np.empty((7, 5, 3), np.uint8))
    assert seen_order == order
    assert np.array_equal(seen, pixels)
    message.data[0] ^= 0xFF
    assert seen[0, 0, 0] == message.data[0]


def test_other_encodings_become_rgb_in_the_given_memory():
    for encoding in set(SUPPORTED_ENCODINGS) - {"rgb8", "bgr8", "8UC3"}:
        pixels = random_pixels(encoding, 6, 4)
        out = np.empty((6, 4, 3), np.uint8)
        seen, order = to_pixels(Message(pixels, encoding), out)
        assert seen is out and order == "rgb"
        assert np.array_equal(seen, expected_rgb(pixels, encoding))


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
        (broken(encoding="yuv422"), "size", "yuv422 image of odd width: 5x7"),
        (broken(encoding="bayer_rggb8", width=2), "size", "smaller than 3x3 pixels: 2x7"),
        (broken(encoding="mono16", width=8), "step", "step of 15.*8 mono16 pixels .16 bytes"),
    ],
)
def test_no_image_is_one_clear_line(message, kind, words):
    with pytest.raises(ImageError, match=words) as caught:
        to_rgb(message)
    assert caught.value.kind == kind
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


HUGE = st.sampled_from([2**31, 2**32 - 1])


@settings(deadline=None, max_examples=1000)
@given(
    encoding=st.sampled_from([*SUPPORTED_ENCODINGS, "", "rgb16", "nv12", "8UC", "RGB8\n"]),
    height=st.integers(0, 6) | HUGE,
    width=st.integers(0, 6) | HUGE,
    padding=st.integers(-1, 5),
    step=st.none() | st.integers(0, 30) | HUGE,
    extra=st.integers(-2, 2),
    is_bigendian=st.sampled_from([0, 1, 255]),
    make_data=st.sampled_from(
        [lambda data: array.array("B", data), lambda data: np.frombuffer(data, np.uint8)]
    ),
)
def test_whatever_comes_is_an_image_or_an_image_error(
    encoding, height, width, padding, step, extra, is_bigendian, make_data
):
    if step is None:  # often a good one
        step = max(0, width * BYTES.get(encoding, 1) + padding)
    message = types.SimpleNamespace(
        header=None,
        encoding=encoding,
        height=height,
        width=width,
        step=step,
        is_bigendian=is_bigendian,
        data=make_data(bytes(min(max(0, height * step + extra), 200))),
    )
    try:
        pixels, order = to_pixels(message)
    except ImageError as error:
        assert "\n" not in str(error)
        return
    assert order in ("rgb", "bgr")
    assert pixels.dtype == np.uint8 and pixels.shape == (height, width, 3)


def compressed(extension, pixels, description="", parameters=()):
    encoded = cv2.imencode(extension, pixels, parameters)[1]
    return types.SimpleNamespace(
        header=None, format=description, data=array.array("B", encoded.tobytes())
    )


# Of compressed_image_transport, of cv_bridge and of drivers; the picture tells for itself.
@pytest.mark.parametrize(
    "extension, description",
    [
        (".png", "rgb8; png compressed bgr8"),
        (".png", "bgr8; png compressed "),
        (".png", "png"),
        (".jpg", "bgr8; jpeg compressed bgr8"),
        (".jpg", "rgb8; jpeg compressed bgr8"),
        (".jpg", "jpeg"),
        (".jpg", "jpg"),
        (".jpg", ""),
    ],
)
def test_compressed_images_are_bgr(extension, description):
    pixels = np.empty((40, 60, 3), np.uint8)
    pixels[...] = (30, 120, 200)
    decoded, order = decode(compressed(extension, pixels, description))
    assert order == "bgr" and decoded.dtype == np.uint8 and decoded.shape == pixels.shape
    assert np.abs(decoded.astype(int) - pixels).max() <= (4 if extension == ".jpg" else 0)


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((4, 6), 77, np.uint8),
        np.full((4, 6), 77 * 257, np.uint16),
        np.full((4, 6, 3), 77 * 257, np.uint16),
        np.full((4, 6, 4), 77, np.uint8),
    ],
)
def test_compressed_grey_16_bit_and_alpha_become_8_bit_color(pixels):
    decoded, _ = decode(compressed(".png", pixels, "mono16; png compressed "))
    assert decoded.dtype == np.uint8 and decoded.shape == (4, 6, 3) and (decoded == 77).all()


def test_orientation_in_the_file_has_no_effect():
    plain = compressed(".jpg", np.zeros((4, 6, 3), np.uint8), "jpeg").data.tobytes()
    quarter_turn = struct.pack("<2sHIHHHIII", b"II", 42, 8, 1, 0x0112, 3, 1, 6, 0)
    exif = b"Exif\0\0" + quarter_turn
    turned = plain[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(exif)) + exif + plain[2:]
    data = np.frombuffer(turned, np.uint8)
    assert cv2.imdecode(data, cv2.IMREAD_COLOR).shape == (6, 4, 3)
    message = types.SimpleNamespace(format="jpeg", data=data)
    assert decode(message)[0].shape == (4, 6, 3)


def png_of_nothing(width, height):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "description, data, kind, words",
    [
        ("jpeg", b"", "data", "cannot decode .*format 'jpeg', 0 bytes"),
        ("rgb8; jpeg compressed bgr8", b"x" * 99, "data", "'rgb8; jpeg compressed bgr8', 99 bytes"),
        ("h264", b"\0\0\0\1" * 9, "data", "'h264', 36 bytes"),
        ("png", png_of_nothing(40_000, 40_000), "data", "'png', .*pixels"),
        ("png", png_of_nothing(2**31 - 1, 2**31 - 1), "data", "'png'"),
        ("png", png_of_nothing(300, 300), "data", "'png'"),
        (
            "16UC1; compressedDepth",
            b"x",
            "encoding",
            "'16UC1; compressedDepth', 1 bytes.*distances",
        ),
        ("32FC1; compressedDepth png", b"x", "encoding", "distances"),
    ],
)
def test_what_cannot_be_decoded_is_one_clear_line(description, data, kind, words):
    message = types.SimpleNamespace(format=description, data=array.array("B", data))
    with pytest.raises(ImageError, match=words) as caught:
        decode(message)
    assert caught.value.kind == kind
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=300)
@given(extension=st.sampled_from([".jpg", ".png"]), cut=st.integers(0), changes=st.binary())
def test_damaged_compressed_images_decode_or_are_image_errors(extension, cut, changes):
    message = compressed(extension, random_pixels("bgr8", 20, 30), extension)
    message.data = message.data[: 1 + cut % len(message.data)]
    for i, change in enumerate(changes):
        message.data[(i * 7919) % len(message.data)] ^= change
    try:
        pixels, order = decode(message)
    except ImageError as error:
        assert "\n" not in str(error)
        return
    assert order == "bgr" and pixels.dtype == np.uint8 and pixels.shape[2] == 3


@pytest.mark.parametrize("make_types", [rclpy_types, rosbags_types])
def test_compressed_messages_of_either_library(make_types):
    if make_types is rclpy_types:
        message_type = pytest.importorskip("sensor_msgs.msg").CompressedImage
    else:
        typesys = pytest.importorskip("rosbags.typesys", reason="needs rosbags")
        store = typesys.get_typestore(typesys.Stores.ROS2_HUMBLE)
        message_type = store.types["sensor_msgs/msg/CompressedImage"]
    _, header = make_types()
    pixels = random_pixels("bgr8")
    data = cv2.imencode(".png", pixels)[1]
    data = array.array("B", data.tobytes()) if make_types is rclpy_types else data.reshape(-1)
    message = message_type(header=header, format="png", data=data)
    assert np.array_equal(decode(message)[0], pixels)


class FakeBridge:
    """Like cv_bridge: takes no notice of the step."""

    def encoding_to_dtype_with_channels(self, encoding):
        if encoding != "bayer_rggb16":
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
    message = image_type(header=header, height=3, width=4, encoding="bayer_rggb16", step=10)
    message.data = array.array("B", b"".join(row.tobytes() + b"xx" for row in values))
    assert np.array_equal(to_rgb(message), np.dstack([np.arange(12).reshape(3, 4)] * 3))
    message.data = message.data[:-1]
    with pytest.raises(ImageError, match="truncated"):
        to_rgb(message)
    message.encoding = "nonsense"
    with pytest.raises(ImageError, match="unsupported encoding 'nonsense'"):
        to_rgb(message)


def test_with_cv_bridge_the_own_encodings_stay_ours(cv_bridge):
    for encoding in SUPPORTED_ENCODINGS:  # the fake knows none of these
        pixels = random_pixels(encoding, 4, 4)
        assert np.array_equal(to_rgb(Message(pixels, encoding)), expected_rgb(pixels, encoding))


def test_without_cv_bridge_its_absence_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    image_conversion._cv_bridge.cache_clear()
    with pytest.raises(ImageError, match="others need cv_bridge"):
        to_rgb(broken(encoding="rgb16"))
    image_conversion._cv_bridge.cache_clear()


@pytest.mark.parametrize("make_types", [rclpy_types, rosbags_types])
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "mono8"])
def test_there_and_back(make_types, encoding):
    image_type, header = make_types()
    pixels = random_pixels(encoding).squeeze()
    message = to_image(pixels, encoding, header, image_type)
    assert message.header == header
    assert (message.height, message.width, message.step) == (7, 5, 5 * BYTES[encoding])
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


def test_an_outgoing_image_may_have_another_encoding_for_one_message():
    image_type, header = rclpy_types()
    outgoing = OutgoingImage("rgb8", image_type)
    outgoing.pixels(4, 6)[...] = random_pixels("rgb8", 4, 6)
    rgb = to_rgb(outgoing.message(header)).copy()
    assert np.array_equal(to_rgb(outgoing.message(header, "bgr8")), rgb[..., ::-1])
    assert outgoing.message(header).encoding == "rgb8"


def test_the_bytes_are_what_opencv_makes_of_them():
    pixels = random_pixels("bgra8", 30, 40)
    assert np.array_equal(
        to_rgb(Message(pixels, "bgra8", 4)), cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB)
    )
