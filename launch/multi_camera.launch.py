"""One segmentation node for several cameras.

ros2 launch shuffleseg_ros multi_camera.launch.py cameras:=front,left

The images of camera front come on front/image unless image:=front=/its/topic says otherwise.
Arguments are those of segmentation.launch.py; parameters of single cameras are in params_file.
"""

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription


def generate_launch_description():
    share = FindPackageShare("shuffleseg_ros")
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "image",
                default_value="",
                description="Topics of the images, as front=/front/image_raw,left=/cam2/image_raw; "
                "one that is left out has its camera's name and /image.",
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value=PathJoinSubstitution([share, "config", "multi_camera.yaml"]),
                description="YAML file of node parameters, also of single cameras.",
            ),
            DeclareLaunchArgument(
                "rviz_config",
                default_value=PathJoinSubstitution([share, "config", "multi_camera.rviz"]),
                description="What RViz shows.",
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(
                    PathJoinSubstitution([share, "launch", "segmentation.launch.py"])
                )
            ),
        ]
    )
