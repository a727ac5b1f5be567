"""Plays a drive to the segmentation node; ends when the drive does.

ros2 launch shuffleseg_ros replay.launch.py drive:=/path/to/images rviz:=true
ros2 launch shuffleseg_ros replay.launch.py drive:=/path/to/video.mp4 loop:=true
ros2 launch shuffleseg_ros replay.launch.py drive:=/path/to/rosbag2 clock:=true

Further arguments are those of segmentation.launch.py.
"""

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

PLAYER_ARGUMENTS = (
    ("drive", "", str, "Folder of images, video file or rosbag2; empty: the synthetic drive."),
    ("topic", "", str, "Image topic of a rosbag2; empty: its only one."),
    ("rate", "0.0", float, "Frames a second; 0.0: the drive's own timing."),
    ("loop", "false", bool, "Begin again at the end instead of ending."),
    ("encoding", "rgb8", str, "Encoding of the images: rgb8 or bgr8."),
)
IMAGE = "camera/image"  # in the namespace


def generate_launch_description():
    share = FindPackageShare("shuffleseg_ros")
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, default, _, description in PLAYER_ARGUMENTS
            ),
            DeclareLaunchArgument(
                "clock",
                default_value="false",
                description="Publish the drive's own time on /clock, for the node to go by.",
            ),
            DeclareLaunchArgument(
                "use_sim_time",
                default_value=LaunchConfiguration("clock"),
                description="Take the time from /clock.",
            ),
            DeclareLaunchArgument(
                "respawn",
                default_value="false",
                description="Start the node again, 2 s after it died.",
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(
                    PathJoinSubstitution([share, "launch", "segmentation.launch.py"])
                ),
                launch_arguments=[("image", IMAGE)],
            ),
            Node(
                package="shuffleseg_ros",
                executable="drive_player",
                name="drive_player",
                namespace=LaunchConfiguration("namespace"),
                output="screen",
                parameters=[
                    PathJoinSubstitution([share, "config", "drive_player.yaml"]),
                    {
                        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
                        for name, _, kind, _ in PLAYER_ARGUMENTS
                    },
                    {
                        "publish_clock": ParameterValue(
                            LaunchConfiguration("clock"), value_type=bool
                        )
                    },
                ],
                remappings=[("image", IMAGE), ("camera_info", "camera/camera_info")],
                arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
                on_exit=Shutdown(reason="the drive is over"),
            ),
        ]
    )
