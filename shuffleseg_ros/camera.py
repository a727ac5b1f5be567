"""One camera of the segmentation node: its topics, its statistics, and how a frame is labelled."""

import dataclasses
import time

import cv2
import numpy as np
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from shuffleseg_core.class_remapping import UNLABELLED
from shuffleseg_ros.camera_info import camera_info_topic
from shuffleseg_ros.camera_outputs import CameraOutputs
from shuffleseg_ros.camera_settings import scaled_region
from shuffleseg_ros.frame_statistics import NEWER_FRAME, RATE_LIMIT, FrameStatistics
from shuffleseg_ros.image_conversion import ImageError, decode, to_pixels
from shuffleseg_ros.image_subscription import ImageSubscription
from shuffleseg_ros.rate_limit import RateLimit


@dataclasses.dataclass(frozen=True)
class LabelledFrame:
    """A frame and its labels.

    Attributes:
        header: of the image.
        pixels: uint8 [H, W, 3], the camera's.
        order: 'rgb' or 'bgr', of the pixels' channels.
        labels: uint8 [h, w] published ids.
        region: (x, y, width, height) of the labels that the network has labelled.
        ego: uint8 [h, w], not 0 on the ego vehicle; or None.
        camera_info: the newest CameraInfo, or None.
    """

    header: Header
    pixels: np.ndarray
    order: str
    labels: np.ndarray
    region: "tuple[int, int, int, int]"
    ego: "np.ndarray | None"
    camera_info: "CameraInfo | None"


class Camera:
    """See the module. `settings` (CameraSettings) may be replaced any time.

    Publishers are there from the start until close(), subscriptions from open() until pause().
    label() belongs to the worker's thread, everything else to the executor's.
    """

    def __init__(
        self, node, name, settings, *, transport, reliability, window, throttle, callback_group
    ):
        self.name = name
        self.settings = settings
        self._node = node
        self._transport = transport
        self._reliability = reliability
        self._window = window
        self._throttle = throttle
        self._callback_group = callback_group
        self.image = f"{name}/image" if name else "image"  # relative name of the image topic
        self._subscriptions = None  # image, camera_info
        self._camera_info = None
        self._converted = None  # memory for converted frames
        self._form = None  # (width, height, encoding) of the newest frame
        self.outputs = CameraOutputs(node, f"~/{name}/" if name else "~/")
        self.statistics = FrameStatistics(window)

    @property
    def topic(self):
        """Name of the image topic as others see it."""
        return self._subscriptions[0].topic_name

    def open(self, submit, lazy):
        """Subscribe; `submit(camera, message)` takes a frame and tells whether it displaced one,
        `lazy()` tells whether frames that nobody wants are left alone."""
        self.statistics = FrameStatistics(self._window)
        self._submit, self._lazy = submit, lazy
        self._rate_limit = RateLimit()
        image = ImageSubscription(
            self._node,
            self.image,
            self._receive_image,
            self._reliability,
            self._transport,
            callback_group=self._callback_group,
        )
        info = self._node.create_subscription(
            CameraInfo,
            camera_info_topic(self._node, self.image),
            self._receive_camera_info,
            qos_profile_sensor_data,
            callback_group=self._callback_group,
        )
        self._subscriptions = image, info

    def pause(self):
        """Unsubscribe."""
        if self._subscriptions is not None:
            image, info = self._subscriptions
            image.close()
            self._node.destroy_subscription(info)
            self._subscriptions = self._camera_info = self._form = None

    def close(self):
        self.pause()
        self.outputs.close()

    def _receive_camera_info(self, message):
        self._camera_info = message

    def _receive_image(self, message):
        self.statistics.frame_received()
        if self._lazy() and not self.outputs.wanted:
            self.statistics.frame_idle()
        elif not self._rate_limit.admits(self.settings.rate_limit):
            self.statistics.frame_dropped(RATE_LIMIT)
        elif self._submit(self, message):
            self.statistics.frame_dropped(NEWER_FRAME)

    def label(self, served, opacity, message, received, ready):
        """Label and publish one frame; never raises."""
        try:
            stages = self._label(served, opacity, message, received, ready)
        except ImageError as error:
            self._failed(error.kind, str(error))
        except Exception as error:  # whatever it is, the next frame gets its chance
            if self._node.context.ok():  # a signal ended ROS under the frame in work: not its fault
                self._failed(type(error).__name__, f"{type(error).__name__}: {error}")
        else:
            deadline = self.settings.deadline
            missed = bool(deadline) and stages.get("latency", 0.0) > deadline
            self.statistics.frame_labelled(stages, missed)

    def _label(self, served, opacity, message, received, ready):
        segmenter, settings = served.segmenter, self.settings
        begun = time.monotonic()
        pixels, order = self._pixels(message)
        converted = time.monotonic()
        camera_size = pixels.shape[1::-1]
        size = settings.size(camera_size, segmenter.input_size)
        labels = self.outputs.labels_memory(*size)
        region = settings.region(*camera_size)
        x, y, width, height = region or (0, 0, *camera_size)
        place = scaled_region(region, camera_size, size) if region else (0, 0, *size)
        start = time.monotonic()
        part = segmenter.segment(
            pixels[y : y + height, x : x + width],
            None if region else labels,
            size=place[2:],
            order=order,
        )
        segmented = time.monotonic()
        if region:
            labels.fill(UNLABELLED)
            labels[place[1] : place[1] + place[3], place[0] : place[0] + place[2]] = part
        if served.remapping is not None:
            served.remapping.apply(labels, out=labels)
        ego = None
        if settings.mask is not None:
            ego = settings.mask.at(*size)
            cv2.bitwise_or(labels, ego, dst=labels)  # 255, unlabelled
        self.outputs.publish_labels(message.header)
        published = time.monotonic()
        frame = LabelledFrame(message.header, pixels, order, labels, place, ego, self._camera_info)
        self.outputs.publish_views(frame, served, opacity)
        timings = segmenter.timings
        stages = {
            "wait": begun - received,
            "convert": converted - begun,
            "preprocess": timings.preprocess,
            "inference": timings.inference,
            "postprocess": timings.postprocess,
            "publish": published - segmented,
            "total": published - received,
            "views": time.monotonic() - published,
            "segment": segmented - start,
            "node": published - ready,
        }
        stamp = message.header.stamp
        if stamp.sec or stamp.nanosec:  # else the camera gives none
            age = self._node.get_clock().now().nanoseconds * 1e-9 - (
                stamp.sec + stamp.nanosec * 1e-9
            )
            stages["latency"] = age - (time.monotonic() - published)
        self.outputs.publish_timing(stamp, stages)
        return stages

    def _pixels(self, message):
        if self._transport == "compressed":
            pixels, order = decode(message)
            self._note_form((pixels.shape[1], pixels.shape[0], message.format))
            return pixels, order
        pixels, order = to_pixels(message, out=self._converted)
        if pixels.flags.owndata:  # else they are the message's own memory
            self._converted = pixels
        self._note_form((message.width, message.height, message.encoding))
        return pixels, order

    def _note_form(self, form):
        if self._form is not None and form != self._form:
            line = self._throttle.admit(
                ("form", self.name),
                f"{self._named}changed from {{}}x{{}} {{}} to {{}}x{{}} {{}}".format(
                    *self._form, *form
                ),
            )
            if line:
                self._node.get_logger().warning(line)
        self._form = form

    @property
    def _named(self):
        return f"camera {self.name} " if self.name else "camera "

    def _failed(self, cause, reason):
        reason = " ".join(reason.split())
        self.statistics.frame_failed(cause, reason)
        of = f" of {self.name}" if self.name else ""
        line = self._throttle.admit((cause, self.name), f"frame{of} not labelled: {reason}")
        if line:
            self._node.get_logger().error(line)
