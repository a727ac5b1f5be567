"""The segmentation node on one camera.

ros2 launch shuffleseg_ros segmentation.launch.py image:=/camera/image_raw
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

ARGUMENTS = (
    ("image", "/camera/image", "Topic of the camera images."),
    ("model", "", "A .tflite model or a shipped one's name; empty: as the parameter file says."),
    ("num_threads", "", "Threads of the inference; empty: as the parameter file says."),
    (
        "params_file",
        PathJoinSubstitution([FindPackageShare("shuffleseg_ros"), "config", "segmentation.yaml"]),
        "YAML file of node parameters.",
    ),
    ("namespace", "", "Namespace of the node."),
    ("log_level", "info", "debug, info, warn, error or fatal."),
)


def generate_launch_description():
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, default, description in ARGUMENTS
            ),
            OpaqueFunction(function=_node),
        ]
    )


def _node(context):
    parameters = [LaunchConfiguration("params_file")]
    # An empty argument must not hide what the parameter file says.
    for name, kind in (("model", str), ("num_threads", int)):
        if LaunchConfiguration(name).perform(context):
            parameters.append({name: ParameterValue(LaunchConfiguration(name), value_type=kind)})
    return [
        Node(
            package="shuffleseg_ros",
            executable="segmentation_node",
            name="segmentation",
            namespace=LaunchConfiguration("namespace"),
            output="screen",
            parameters=parameters,
            remappings=[("image", LaunchConfiguration("image"))],
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        )
    ]
