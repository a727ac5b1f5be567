"""The segmentation node under `ros2 bag play`, by the bag's own time; ends when the bag does.

ros2 launch shuffleseg_ros bag.launch.py bag:=/path/to/rosbag2 image:=/camera/image_raw rviz:=true

All topics of the bag are played. Further arguments are those of segmentation.launch.py.
"""

from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    Shutdown,
    TimerAction,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription


def generate_launch_description():
    share = FindPackageShare("shuffleseg_ros")
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="Folder of a rosbag2."),
            DeclareLaunchArgument(
                "rate", default_value="1.0", description="Speed; 1.0: as it was."
            ),
            DeclareLaunchArgument(
                "loop",
                default_value="false",
                description="true: begin again at the end; the time jumps back.",
            ),
            DeclareLaunchArgument(
                "delay",
                default_value="3.0",
                description="Seconds before the first message, for the node to load its model.",
            ),
            DeclareLaunchArgument(
                "use_sim_time",
                default_value="true",
                description="Take the time from /clock, which ros2 bag play publishes.",
            ),
            DeclareLaunchArgument(
                "respawn",
                default_value="false",
                description="Start the node again, 2 s after it died.",
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(
                    PathJoinSubstitution([share, "launch", "segmentation.launch.py"])
                )
            ),
            TimerAction(
                period=LaunchConfiguration("delay"), actions=[OpaqueFunction(function=_play)]
            ),
        ]
    )


def _play(context):
    loop = LaunchConfiguration("loop").perform(context).lower() == "true"
    return [
        ExecuteProcess(
            cmd=[
                *("ros2", "bag", "play", LaunchConfiguration("bag")),
                *("--rate", LaunchConfiguration("rate")),
                # Latencies are measured by this clock; its default is 40 Hz.
                *("--clock", "100", "--disable-keyboard-controls"),
                *(["--loop"] if loop else []),
            ],
            output="screen",
            on_exit=Shutdown(reason="the bag is over"),
        )
    ]
