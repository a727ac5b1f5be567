"""Gives Fast DDS, where that is the middleware, shared memory that whole images fit into."""

import os
import pathlib

PROFILE = pathlib.Path(__file__).with_name("fastdds_large_images.xml")
# The name up to Jazzy (Fast DDS 2) and since Kilted (Fast DDS 3); other middlewares read neither.
OLD_VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"
VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"
OLD_RELEASES = ("humble", "iron", "jazzy")


def use_large_image_profile(environment=os.environ):
    """Name the profile in `environment`; to be called before rclpy.init().

    Leaves everything as it is where the user has a profile, or where ROS_LOCALHOST_ONLY asks for
    transports bound to this host, which the profile would undo.
    """
    if environment.get("ROS_LOCALHOST_ONLY") == "1":
        return
    if environment.get(OLD_VARIABLE) or environment.get(VARIABLE):
        return
    old = environment.get("ROS_DISTRO") in OLD_RELEASES
    environment[OLD_VARIABLE if old else VARIABLE] = str(PROFILE)
