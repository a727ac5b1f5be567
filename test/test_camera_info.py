"""CameraInfo for labels of another size, and where a camera's is found."""

import copy

import numpy as np
import pytest

from shuffleseg_ros.camera_info import camera_info_topic, pinhole_fields, scaled


def rclpy_info(**fields):
    messages = pytest.importorskip("sensor_msgs.msg", reason="needs ROS 2")
    info = messages.CameraInfo(**fields)
    info.header.frame_id = "camera"
    return info, pytest.importorskip("std_msgs.msg").Header(frame_id="camera")


def rosbags_info(**fields):
    typesys = pytest.importorskip("rosbags.typesys", reason="needs rosbags")
    types = typesys.get_typestore(typesys.Stores.ROS2_HUMBLE).types
    stamp = types["builtin_interfaces/msg/Time"](1, 2)
    header = types["std_msgs/msg/Header"](stamp, "camera")
    zeros = {
        **{"height": 0, "width": 0, "distortion_model": "", "binning_x": 0, "binning_y": 0},
        **{"d": np.zeros(0), "k": np.zeros(9), "r": np.zeros(9), "p": np.zeros(12)},
        "roi": types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False),
    }
    arrays = {k: np.array(v) if isinstance(v, list) else v for k, v in fields.items()}
    kind = types["sensor_msgs/msg/CameraInfo"]
    return kind(header=header, **{**zeros, **arrays}), copy.deepcopy(header)


CALIBRATION = {
    "width": 1280,
    "height": 720,
    "distortion_model": "plumb_bob",
    "d": [0.1, -0.2, 0.001, 0.002, 0.05],
    "k": [900.0, 0.0, 640.0, 0.0, 910.0, 360.0, 0.0, 0.0, 1.0],
    "r": [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0],
    "p": [800.0, 0.0, 600.0, -96.0, 0.0, 810.0, 350.0, 0.0, 0.0, 0.0, 1.0, 0.0],
}


@pytest.mark.parametrize("make", [rclpy_info, rosbags_info])
def test_scaled_as_image_proc_resizes(make):
    info, header = make(**CALIBRATION)
    before = copy.deepcopy(info)
    result = scaled(info, 640, 240, header)
    assert type(result) is type(info) and result.header is header
    assert (result.width, result.height) == (640, 240)
    assert list(result.k) == pytest.approx([450, 0, 320, 0, 910 / 3, 120, 0, 0, 1])
    assert list(result.p) == pytest.approx([400, 0, 300, -48, 0, 270, 350 / 3, 0, 0, 0, 1, 0])
    assert list(result.d) == CALIBRATION["d"] and list(result.r) == CALIBRATION["r"]
    assert result.distortion_model == "plumb_bob"
    assert str(info) == str(before)


@pytest.mark.parametrize("make", [rclpy_info, rosbags_info])
def test_of_the_same_size_only_the_header_is_new(make):
    info, header = make(**CALIBRATION)
    info.roi.x_offset, info.roi.width, info.roi.height = 100, 400, 200
    header.stamp.sec = 77
    result = scaled(info, 400, 200, header)
    assert result is not info and result.header is header and info.header.stamp.sec != 77
    result.header = info.header
    assert str(result) == str(info)


def test_region_of_interest_and_binning():
    info, header = rclpy_info(**CALIBRATION)
    info.binning_x = info.binning_y = 2
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 100, 60, 800, 600
    info.roi.do_rectify = True
    result = scaled(info, 200, 150, header)  # the pictures are 400x300
    assert (result.width, result.height) == (640, 360)
    roi = result.roi
    assert (roi.x_offset, roi.y_offset, roi.width, roi.height) == (50, 30, 400, 300)
    assert roi.do_rectify
    assert (result.binning_x, result.binning_y) == (2, 2)
    assert result.k[0] == 450 and result.k[5] == 180
    # The pictures of the result have the size asked for.
    assert str(scaled(result, 200, 150, header)) == str(result)


@pytest.mark.parametrize("size", [{}, {"width": 1280, "height": 720}])
def test_uncalibrated_stays_uncalibrated(size):
    info, header = rclpy_info(**size)
    result = scaled(info, 640, 360, header)
    assert not result.k.any() and not result.p.any() and not result.r.any()
    assert (result.width, result.height) == ((640, 360) if size else (0, 0))


def test_a_point_stays_where_it_is_in_the_picture():
    info, header = rclpy_info(**pinhole_fields(1280, 720, 60.0))
    result = scaled(info, 320, 180, header)
    x, y, z = np.array(info.k).reshape(3, 3) @ (1.0, 0.5, 4.0)
    small_x, small_y, small_z = np.array(result.k).reshape(3, 3) @ (1.0, 0.5, 4.0)
    assert (small_x / small_z, small_y / small_z) == pytest.approx((x / z / 4, y / z / 4))


@pytest.mark.parametrize(
    "remappings, image_topic, expected",
    [
        ([], "image", "/robot/camera_info"),
        ([], "front/image", "/robot/front/camera_info"),
        ([], "/camera/image_raw", "/camera/camera_info"),
        (["image:=/camera/image_raw"], "image", "/camera/camera_info"),
        (["image:=/image"], "image", "/camera_info"),
        (["front/image:=/f/image_raw"], "front/image", "/f/camera_info"),
        (["image:=/camera/image_raw", "camera_info:=/calibration"], "image", "/calibration"),
        (["camera_info:=/calibration"], "front/image", "/robot/front/camera_info"),
        (["front/camera_info:=/calibration"], "front/image", "/calibration"),
        (["image:=/a/image", "/a/camera_info:=/calibration"], "image", "/calibration"),
    ],
)
def test_topic_beside_the_image(remappings, image_topic, expected):
    rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")
    from sensor_msgs.msg import CameraInfo

    context = rclpy.Context()
    rclpy.init(context=context)
    arguments = [word for rule in remappings for word in ("-r", rule)]
    node = rclpy.create_node(
        "reader",
        namespace="/robot",
        context=context,
        cli_args=["--ros-args", *arguments] if arguments else None,
    )
    try:
        topic = camera_info_topic(node, image_topic)
        assert node.create_subscription(CameraInfo, topic, print, 1).topic_name == expected
    finally:
        node.destroy_node()
        context.try_shutdown()
