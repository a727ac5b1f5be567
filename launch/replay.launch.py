"""Plays a drive to the segmentation node; ends when the drive does.

ros2 launch shuffleseg_ros replay.launch.py drive:=/path/to/images rviz:=true
"""

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, Shutdown
from launch.conditions import IfCondition
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
)
NODE_ARGUMENTS = (
    ("model", "", "A .tflite model or a shipped one's name; empty: as the parameter file says."),
    ("num_threads", "", "Threads of the inference; empty: as the parameter file says."),
    (
        "params_file",
        PathJoinSubstitution([FindPackageShare("shuffleseg_ros"), "config", "segmentation.yaml"]),
        "YAML file of parameters for the segmentation node.",
    ),
    ("log_level", "info", "debug, info, warn, error or fatal."),
)


def generate_launch_description():
    share = FindPackageShare("shuffleseg_ros")
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, default, *_, description in PLAYER_ARGUMENTS + NODE_ARGUMENTS
            ),
            DeclareLaunchArgument(
                "rviz",
                default_value="false",
                description="Show camera, colours and overlay in RViz.",
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(
                    PathJoinSubstitution([share, "launch", "segmentation.launch.py"])
                ),
                launch_arguments=[
                    ("image", "/camera/image"),
                    *((name, LaunchConfiguration(name)) for name, *_ in NODE_ARGUMENTS),
                ],
            ),
            Node(
                package="shuffleseg_ros",
                executable="drive_player",
                name="drive_player",
                namespace="camera",
                output="screen",
                parameters=[
                    PathJoinSubstitution([share, "config", "drive_player.yaml"]),
                    {
                        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
                        for name, _, kind, _ in PLAYER_ARGUMENTS
                    },
                ],
                arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
                on_exit=Shutdown(reason="the drive is over"),
            ),
            Node(
                package="rviz2",
                executable="rviz2",
                name="rviz2",
                output="screen",
                arguments=["-d", PathJoinSubstitution([share, "config", "segmentation.rviz"])],
                condition=IfCondition(LaunchConfiguration("rviz")),
            ),
        ]
    )
