"""sensor_msgs/Image to numpy and back, without copies where the pixels allow it.

The functions take and make any message with sensor_msgs/Image's fields: rclpy's classes and those
that the rosbags library deserialises.
"""

import array
import dataclasses
import functools

import cv2
import numpy as np

# encoding → (bytes a pixel, OpenCV's conversion to RGB; None: the bytes are RGB already)
_ENCODINGS = {
    "rgb8": (3, None),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
}
SUPPORTED_ENCODINGS = tuple(_ENCODINGS)


class ImageError(ValueError):
    """A message that is no usable image.

    str() is one clear line; `kind` (size, encoding, step, data) groups the lines that differ only
    in their numbers, so that a log can be throttled by it.
    """

    def __init__(self, reason, kind="image"):
        super().__init__(reason)
        self.kind = kind


def to_rgb(message, out=None):
    """The pixels of an Image message as uint8 [height, width, 3] in RGB order.

    rgb8 comes back as a view of the message's own memory, padded rows included; rgba8, bgr8, bgra8
    and mono8 cost one pass of OpenCV's cvtColor, straight from the padded rows. Other encodings go
    through cv_bridge where that is installed. `out`, a uint8 [height, width, 3] array, takes the
    converted pixels where a conversion is needed and its size fits.

    Raises ImageError for zero size, an unknown encoding, a step shorter than a row, missing data.
    """
    height, width, step = int(message.height), int(message.width), int(message.step)
    if height == 0 or width == 0:
        raise ImageError(f"image of zero size: {width}x{height}", "size")
    if message.encoding not in _ENCODINGS:
        return _through_cv_bridge(message)
    channels, conversion = _ENCODINGS[message.encoding]
    data = _checked_data(message, width * channels)
    shape, strides = (height, width, channels), (step, channels, 1)
    if channels == 1:
        shape, strides = shape[:2], strides[:2]
    pixels = np.ndarray(shape, np.uint8, data, strides=strides)
    if conversion is None:
        return pixels
    if out is not None and out.shape == (height, width, 3):
        return cv2.cvtColor(pixels, conversion, dst=out)
    return cv2.cvtColor(pixels, conversion)


def _checked_data(message, row_bytes):
    height, step = int(message.height), int(message.step)
    if step < row_bytes:
        raise ImageError(
            f"step of {step} bytes is smaller than a row of {message.width} "
            f"{message.encoding} pixels ({row_bytes} bytes)",
            "step",
        )
    data = np.frombuffer(message.data, np.uint8) if len(message.data) else b""
    if len(data) < step * height:
        raise ImageError(
            f"truncated data: {len(data)} bytes, but {height} rows of {step} bytes "
            f"need {step * height}",
            "data",
        )
    return data


@functools.lru_cache(maxsize=1)
def _cv_bridge():
    """(CvBridge or None, why it is missing); asked for once, as a failing import is slow."""
    try:
        from cv_bridge import CvBridge

        return CvBridge(), ""
    except Exception as error:  # built for another numpy, it fails in many ways
        return None, str(error).partition("\n")[0]


def _through_cv_bridge(message):
    supported = ", ".join(SUPPORTED_ENCODINGS)
    bridge, missing = _cv_bridge()
    if bridge is None:
        raise ImageError(
            f"unsupported encoding {message.encoding!r} (supported: {supported}; "
            f"others need cv_bridge: {missing})",
            "encoding",
        )
    try:
        dtype, channels = bridge.encoding_to_dtype_with_channels(message.encoding)
    except Exception as error:
        raise ImageError(
            f"unsupported encoding {message.encoding!r} (supported: {supported}, and cv_bridge's)",
            "encoding",
        ) from error
    row_bytes = int(message.width) * channels * np.dtype(dtype).itemsize
    data = _checked_data(message, row_bytes)
    try:
        # Some releases of cv_bridge take no notice of padding, so they get rows without it.
        rows = np.ndarray((message.height, row_bytes), np.uint8, data, strides=(message.step, 1))
        packed = type(message)(
            header=message.header,
            height=message.height,
            width=message.width,
            encoding=message.encoding,
            is_bigendian=message.is_bigendian,
            step=row_bytes,
            data=_message_data(type(message), rows),
        )
        return np.ascontiguousarray(bridge.imgmsg_to_cv2(packed, "rgb8"))
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise ImageError(
            f"cv_bridge cannot convert {message.encoding!r} to rgb8: {reason}", "encoding"
        ) from error


def to_image(pixels, encoding, header, message_type):
    """An Image message of uint8 pixels: [height, width] for mono8, [height, width, 3] for rgb8.

    The pixels are copied once; `header` is used as it is. `message_type` is the Image class of
    rclpy (sensor_msgs.msg.Image) or of a rosbags typestore.
    """
    channels, _ = _ENCODINGS[encoding]
    height, width = pixels.shape[:2]
    if pixels.dtype != np.uint8 or pixels.size != height * width * channels:
        raise ValueError(f"{pixels.dtype} {pixels.shape} cannot be sent as {encoding}")
    return message_type(
        header=header,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=width * channels,
        data=_message_data(message_type, pixels),
    )


def _message_data(message_type, pixels):
    if dataclasses.is_dataclass(message_type):  # rosbags' messages hold numpy arrays
        return np.ascontiguousarray(pixels).reshape(-1)
    # rclpy checks every single byte of anything but an array.array.
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(pixels).data)
    return data


class OutgoingImage:
    """One Image message that is filled and published again and again (rclpy).

    Its memory is kept while the image size stays, so that a frame costs no allocation: write into
    `pixels(height, width)`, then publish `message(header)`. rclpy's publish() copies the message,
    so it may be changed as soon as that returns. Not for two threads at a time.
    """

    def __init__(self, encoding, message_type):
        self._channels, _ = _ENCODINGS[encoding]
        self._message = message_type(encoding=encoding)
        self._pixels = None

    def pixels(self, height, width):
        """The message's own memory, writable: uint8 [height, width], or [height, width, 3]."""
        shape = (height, width) if self._channels == 1 else (height, width, self._channels)
        if self._pixels is None or self._pixels.shape != shape:
            size = height * width * self._channels
            self._message.height, self._message.width = height, width
            self._message.step = width * self._channels
            self._message.data = array.array("B", bytes(size))
            # Some releases of rclpy keep that array, others a copy of it.
            self._pixels = np.frombuffer(self._message.data, np.uint8).reshape(shape)
        return self._pixels

    def message(self, header):
        """The message, holding what was last written into pixels()."""
        self._message.header = header
        return self._message
