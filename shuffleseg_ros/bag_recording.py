"""rosbag2 for the command line: see `shuffleseg_core.frame_source.GROUP`."""

import os

from shuffleseg_core.image_file import is_image_file
from shuffleseg_ros.bag import BagFrames, is_bag


def is_recording(path):
    """Whether it is a rosbag2, and not a folder of images that has one's files beside them."""
    if not is_bag(path):
        return False
    return not os.path.isdir(path) or not any(is_image_file(file) for file in path.iterdir())


def open_recording(path, topic):
    """Its frames. Raises UserError."""
    return BagFrames(path, topic)
