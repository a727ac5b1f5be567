"""The segmentation node; RViz and the browser view beside it where asked for.

ros2 launch shuffleseg_ros segmentation.launch.py image:=/camera/image_raw

The other launch files include this one, so its arguments are theirs too.
"""

import yaml
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

CONFIG = (FindPackageShare("shuffleseg_ros"), "config")
ARGUMENTS = (
    (
        "image",
        "/camera/image",
        "Topic of the images; of named cameras front=/front/image_raw,left=/cam2/image_raw, where "
        "one that is left out has its name and /image.",
    ),
    ("namespace", "", "Namespace of all that is started here."),
    (
        "params_file",
        PathJoinSubstitution([*CONFIG, "segmentation.yaml"]),
        "YAML file of node parameters.",
    ),
    ("log_level", "info", "debug, info, warn, error or fatal."),
    ("respawn", "true", "Start the node again, 2 s after it died."),
    ("rviz", "false", "Show camera, colours and overlay in RViz."),
    ("rviz_config", PathJoinSubstitution([*CONFIG, "segmentation.rviz"]), "What RViz shows."),
    ("view", "false", "Show camera, classes and latencies in a browser."),
    ("view_bind", "127.0.0.1", "IP address that the view listens on; 0.0.0.0: every network."),
)
PARAMETERS = (
    ("model", str, "A .tflite model or a shipped one's name."),
    ("num_threads", int, "Threads of the inference."),
    ("image_transport", str, "raw or compressed."),
    ("autostart", bool, "Bring the node up to active; false leaves that to somebody else."),
    ("use_sim_time", bool, "Take the time from /clock."),
)
EMPTY = "Empty: as the parameter file says."


def generate_launch_description():
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, default, description in ARGUMENTS
            ),
            DeclareLaunchArgument(
                "cameras", default_value="", description=f"Names of cameras, as front,left. {EMPTY}"
            ),
            *(
                DeclareLaunchArgument(name, default_value="", description=f"{description} {EMPTY}")
                for name, _, description in PARAMETERS
            ),
            OpaqueFunction(function=_nodes),
        ]
    )


def _nodes(context):
    # An empty argument must not hide what the parameter file says.
    given = {
        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, kind, _ in PARAMETERS
        if LaunchConfiguration(name).perform(context)
    }
    time = {name: given[name] for name in given if name == "use_sim_time"}
    transport = {name: given[name] for name in given if name == "image_transport"}
    names = LaunchConfiguration("cameras").perform(context)
    if names:
        cameras = given["cameras"] = [name.strip() for name in names.split(",")]
    else:
        cameras = _cameras_in(LaunchConfiguration("params_file").perform(context))
    images = _image_remappings(LaunchConfiguration("image").perform(context))
    everywhere = {
        "namespace": LaunchConfiguration("namespace"),
        "output": "screen",
    }
    return [
        Node(
            package="shuffleseg_ros",
            executable="segmentation_node",
            name="segmentation",
            parameters=[LaunchConfiguration("params_file"), *([given] if given else [])],
            remappings=images,
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            respawn=LaunchConfiguration("respawn"),
            respawn_delay=2.0,
            **everywhere,
        ),
        Node(
            package="shuffleseg_ros",
            executable="segmentation_view",
            name="segmentation_view",
            parameters=[
                {
                    "cameras": cameras,
                    "node": "segmentation",
                    "bind": LaunchConfiguration("view_bind"),
                    **transport,
                    **time,
                }
            ],
            remappings=images,
            condition=IfCondition(LaunchConfiguration("view")),
            **everywhere,
        ),
        Node(
            package="rviz2",
            executable="rviz2",
            name="rviz2",
            parameters=[time] if time else [],
            remappings=_rviz_remappings(cameras, dict(images)),
            arguments=["-d", LaunchConfiguration("rviz_config")],
            condition=IfCondition(LaunchConfiguration("rviz")),
            **everywhere,
        ),
    ]


def _cameras_in(params_file):
    """The parameter `cameras` of a parameter file; one without a name where it has none."""
    with open(params_file, encoding="utf-8") as file:
        sections = list(_sections(yaml.safe_load(file)))
    # What names the node goes before what is for all nodes.
    for wanted in ("segmentation", "/**"):
        for name, parameters in sections:
            if name == wanted and parameters.get("cameras"):
                return parameters["cameras"]
    return [""]


def _sections(content):
    """(node, its parameters) of a parameter file's content, below namespaces too."""
    for name, inner in content.items() if isinstance(content, dict) else ():
        if isinstance(inner, dict) and isinstance(inner.get("ros__parameters"), dict):
            node = name if name == "/**" else name.rpartition("/")[2]
            yield node, inner["ros__parameters"]
        elif name != "ros__parameters":
            yield from _sections(inner)


def _image_remappings(image):
    """[(the node's topic, the camera's)] from the argument `image`."""
    pairs = (one.rpartition("=") for one in image.split(",") if one)
    return [(f"{camera}/image" if camera else "image", topic) for camera, _, topic in pairs]


def _rviz_remappings(cameras, images):
    """From the topics of the RViz configurations, which are absolute, to those of this launch."""
    remappings = []
    for camera in cameras:
        prefix = f"{camera}/" if camera else ""
        shown = f"/{prefix}image" if camera else "/camera/image"
        remappings.append((shown, images.get(f"{prefix}image", f"{prefix}image")))
        for view in ("color", "overlay", "confidence"):
            topic = f"segmentation/{prefix}{view}"
            remappings.append((f"/{topic}", topic))
    return remappings
