"""rosbag2 for the command line: see `shuffleseg_core.frame_source.GROUP`."""

from shuffleseg_ros.bag import BagFrames, is_bag


def is_recording(path):
    """Whether it is a rosbag2."""
    return is_bag(path)


def open_recording(path, topic):
    """Its frames. Raises UserError."""
    return BagFrames(path, topic)
