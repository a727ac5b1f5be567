"""sensor_msgs/CameraInfo: where it is, of pictures of another size, of an ideal camera."""

import copy
import math

import numpy as np

from shuffleseg_ros.sibling_topic import sibling_topic


def camera_info_topic(node, image_topic):
    """The topic to subscribe for the CameraInfo of an image topic.

    `camera_info` beside the resolved image topic, as image_transport has it, unless a remapping
    names the one beside `image_topic`: for front/image, front/camera_info.
    """

    def beside(topic):
        return "/".join([*topic.split("/")[:-1], "camera_info"])

    return sibling_topic(node, beside(image_topic), beside(node.resolve_topic_name(image_topic)))


def scaled(info, width, height, header):
    """A CameraInfo for the camera's pictures resized to width x height pixels.

    A new message with `header`; `info` stays as it is. Focal lengths, principal point, projection
    and region of interest are scaled as image_proc's ResizeNode does it: multiplied by the ratio of
    the sizes. So like that node it takes no notice of pixel centres: cx' = cx * ratio, not
    (cx + 0.5) * ratio - 0.5. Distortion, rotation and binning hold for every size.

    The size that `info` belongs to is the one of the pictures: its region of interest, if it has
    one, divided by binning. An uncalibrated camera's zeros stay zeros.
    """
    result = copy.copy(info)
    result.header = header
    roi = info.roi
    from_width = (roi.width or info.width) // max(info.binning_x, 1)
    from_height = (roi.height or info.height) // max(info.binning_y, 1)
    if (width, height) == (from_width, from_height) or not (from_width and from_height):
        return result

    def across(value):
        return value * width // from_width

    def down(value):
        return value * height // from_height

    result.width, result.height = across(info.width), down(info.height)
    result.roi = copy.copy(roi)
    result.roi.x_offset, result.roi.width = across(roi.x_offset), across(roi.width)
    result.roi.y_offset, result.roi.height = down(roi.y_offset), down(roi.height)
    k, p = np.array(info.k), np.array(info.p)
    k[[0, 2]] *= width / from_width  # fx, cx
    p[[0, 2, 3]] *= width / from_width  # fx, cx, Tx
    k[[4, 5]] *= height / from_height  # fy, cy
    p[[5, 6]] *= height / from_height
    result.k, result.p = k, p
    return result


def pinhole_fields(width, height, horizontal_fov):
    """The fields of a CameraInfo, all but the header, as a dict.

    They describe an ideal pinhole camera of `horizontal_fov` degrees: no distortion, principal
    point in the middle. Arrays are lists of floats.
    """
    focal = width / (2.0 * math.tan(math.radians(horizontal_fov) / 2.0))
    cx, cy = (width - 1) / 2.0, (height - 1) / 2.0  # the centre of the first pixel is (0, 0)
    return {
        "width": width,
        "height": height,
        "distortion_model": "plumb_bob",
        "d": [0.0] * 5,
        "k": [focal, 0.0, cx, 0.0, focal, cy, 0.0, 0.0, 1.0],
        "r": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        "p": [focal, 0.0, cx, 0.0, 0.0, focal, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    }
