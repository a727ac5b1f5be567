"""Image messages to numpy and back, without copies where the pixels allow it.

The functions take and make any message with the fields of sensor_msgs/Image and CompressedImage:
rclpy's classes and those that the rosbags library deserialises.
"""

import array
import dataclasses
import functools

import cv2
import numpy as np

# encoding → (bytes a sample, samples a pixel, OpenCV's conversion to RGB; or the order that the
# bytes are in already). Conversions are those of cv_bridge. OpenCV names a Bayer pattern by its
# second row's second and third pixel, ROS by the first four of the sensor.
_ENCODINGS = {
    "rgb8": (1, 3, "rgb"),
    "bgr8": (1, 3, "bgr"),
    "rgba8": (1, 4, cv2.COLOR_RGBA2RGB),
    "bgra8": (1, 4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, 1, cv2.COLOR_GRAY2RGB),
    "mono16": (2, 1, cv2.COLOR_GRAY2RGB),
    # OpenCV's types, which tell no colours: read as OpenCV's own order, as RViz does.
    "8UC1": (1, 1, cv2.COLOR_GRAY2RGB),
    "8UC3": (1, 3, "bgr"),
    "8UC4": (1, 4, cv2.COLOR_BGRA2RGB),
    "16UC1": (2, 1, cv2.COLOR_GRAY2RGB),
    "yuv422": (1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": (1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": (1, 2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": (1, 2, cv2.COLOR_YUV2RGB_YUY2),
    "bayer_rggb8": (1, 1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": (1, 1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": (1, 1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": (1, 1, cv2.COLOR_BayerGB2RGB),
}
SUPPORTED_ENCODINGS = tuple(_ENCODINGS)
_SENT = {"mono8": 1, "rgb8": 3, "bgr8": 3}  # encoding → bytes a pixel


class ImageError(ValueError):
    """A message that is no usable image.

    str() is one clear line; `kind` (size, encoding, step, data) groups the lines that differ only
    in their numbers, so that a log can be throttled by it.
    """

    def __init__(self, reason, kind="image"):
        super().__init__(reason)
        self.kind = kind


def to_pixels(message, out=None):
    """(pixels, order) of an Image message: uint8 [height, width, 3] and 'rgb' or 'bgr'.

    rgb8, bgr8 and 8UC3 come back as views of the message's own memory, padded rows included, in the
    order that they have. The others are converted to 'rgb' by OpenCV, straight from the padded
    rows: into `out`, a uint8 [height, width, 3] array, where that is given and its size fits.
    SUPPORTED_ENCODINGS need nothing else; further ones go through cv_bridge where it is installed.
    16-bit samples become 8-bit ones as in cv_bridge: 65535 is 255.

    Raises ImageError for zero size, an unknown encoding, a step shorter than a row, missing data,
    and sizes that the encoding cannot have.
    """
    height, width, step = int(message.height), int(message.width), int(message.step)
    encoding = message.encoding
    if height == 0 or width == 0:
        raise ImageError(f"image of zero size: {width}x{height}", "size")
    if encoding not in _ENCODINGS:
        return _through_cv_bridge(message), "rgb"
    sample, channels, conversion = _ENCODINGS[encoding]
    data = _checked_data(message, width * channels * sample)
    shape, strides = (height, width, channels), (step, channels * sample, sample)
    if channels == 1:
        shape, strides = shape[:2], strides[:2]
    dtype = np.uint8 if sample == 1 else ">u2" if message.is_bigendian else "<u2"
    pixels = np.ndarray(shape, dtype, data, strides=strides)
    if isinstance(conversion, str):
        return pixels, conversion
    if channels == 2 and width % 2:
        raise ImageError(f"{encoding} image of odd width: {width}x{height}", "size")
    if encoding.startswith("bayer") and min(height, width) < 3:  # OpenCV makes these black
        raise ImageError(f"{encoding} image smaller than 3x3 pixels: {width}x{height}", "size")
    if sample == 2:
        # OpenCV takes neither the other byte order nor samples at odd addresses (an odd step).
        pixels = np.require(pixels, np.uint16, ["ALIGNED"])
        pixels = cv2.convertScaleAbs(pixels, alpha=255 / 65535)
    return _convert(pixels, conversion, out), "rgb"


def to_rgb(message, out=None):
    """The pixels of an Image message as uint8 [height, width, 3] in RGB order: see to_pixels()."""
    pixels, order = to_pixels(message, out)
    return pixels if order == "rgb" else _convert(pixels, cv2.COLOR_BGR2RGB, out)


def decode(message):
    """(pixels, 'bgr') of a CompressedImage message: uint8 [height, width, 3].

    Takes what OpenCV reads (jpeg, png, …), whatever the message says that it is; grey and 16-bit
    images become 8-bit colour. A note on orientation in the file (EXIF) has no effect: labels and
    camera calibration belong to the pixels as they are.

    Raises ImageError for data that are no such image, for one of more than 2^26 pixels and for
    depth images (compressedDepth).
    """
    what = f"the compressed image (format {message.format!r}, {len(message.data)} bytes)"
    if "compressedDepth" in message.format:
        raise ImageError(f"{what} holds distances; a camera's picture is needed", "encoding")
    pixels, reason = None, ""
    try:
        if len(message.data):
            pixels = cv2.imdecode(
                np.frombuffer(message.data, np.uint8),
                cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION,
            )
    except cv2.error as error:
        reason = f": {_reason(error)}"
    if pixels is None:
        raise ImageError(f"cannot decode {what}{reason}", "data")
    return pixels, "bgr"


def _convert(pixels, conversion, out):
    if out is not None and out.shape != (*pixels.shape[:2], 3):
        out = None
    try:
        return cv2.cvtColor(pixels, conversion, dst=out)
    except cv2.error as error:
        raise ImageError(f"OpenCV cannot convert it: {_reason(error)}") from error


def _reason(error):
    """OpenCV's, as one line, without its source file."""
    return " ".join(str(error).split()).rpartition("error: ")[2]


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
    """An Image message of uint8 pixels: [height, width] for mono8, else [height, width, 3].

    `encoding`: mono8, rgb8 or bgr8. The pixels are copied once; `header` is used as it is.
    `message_type` is the Image class of rclpy (sensor_msgs.msg.Image) or of a rosbags typestore.
    """
    channels = _SENT[encoding]
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
        self._encoding, self._channels = encoding, _SENT[encoding]
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

    def message(self, header, encoding=None):
        """The message, holding what was last written into pixels().

        `encoding` is for this message only: rgb8 or bgr8, as the pixels written are.
        """
        self._message.header = header
        self._message.encoding = encoding or self._encoding
        return self._message
