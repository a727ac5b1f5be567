"""One ament_python package that pip and colcon both install."""

from glob import glob
from zlib import crc32

from setuptools import Extension, setup

NAME = "shuffleseg_ros"

# The ROS 2 wheels exist for x86-64 alone; elsewhere, and wherever ROS 2 is installed, rclpy and
# the messages come from the sourced ROS 2.
ROS_WHEELS = [
    f"ros-kilted-{name}; platform_machine == 'x86_64' and sys_platform == 'linux'"
    for name in (
        "rclpy>=9.1,<10",
        "sensor-msgs>=5.5,<6",
        "std-msgs>=5.5,<6",
        "diagnostic-msgs>=5.5,<6",
        "rmw-fastrtps-cpp>=9.3,<10",
    )
]

def checksum(paths):
    """CRC of files, by which `shuffleseg_core.compiled` knows a library of other sources."""
    value = 0
    for path in paths:
        with open(path, "rb") as file:
            value = crc32(file.read(), value)
    return value


def compiled(package, folder):
    """No module of Python's: a library that ctypes calls, made of a folder's C.

    Without a compiler numpy does the same, or Keras. Fused products and sums would round otherwise
    than these do.
    """
    sources = sorted(glob(f"{folder}/*.c"))
    return Extension(
        f"{package}.native.compiled",
        sources,
        define_macros=[("SOURCES_CRC", f"{checksum(sources)}LL")],
        extra_compile_args=["-O3", "-ffp-contract=off"],
        optional=True,
    )


PICTURES = ["matplotlib>=3.7,<4"]
TRAINING = ["keras>=3.10,<4", "tensorboardX>=2.6.2,<3", "pycocotools>=2.0.7,<3", *PICTURES]

setup(
    name=NAME,
    version="0.1.0",
    description="Semantic segmentation of camera images on small computers, as a ROS 2 node",
    license="Apache-2.0",
    maintainer="shuffleseg maintainers",
    maintainer_email="maintainers@shuffleseg.example.org",
    python_requires=">=3.10,<3.14",
    packages=[
        "shuffleseg_core",
        "shuffleseg_core.benchmark",
        "shuffleseg_core.commands",
        "shuffleseg_core.datasets",
        "shuffleseg_core.evaluation",
        "shuffleseg_core.evaluation.corruptions",
        "shuffleseg_core.export",
        "shuffleseg_core.import_weights",
        "shuffleseg_core.models",
        "shuffleseg_core.models.heads",
        "shuffleseg_core.models.mobilenet_v2",
        "shuffleseg_core.models.mobilenet_v3",
        "shuffleseg_core.models.pp_mobileseg",
        "shuffleseg_core.models.seaformer",
        "shuffleseg_core.models.shufflenet_v2",
        "shuffleseg_core.models.skipnet",
        "shuffleseg_core.synthetic_drive",
        "shuffleseg_ros",
        "shuffleseg_ros.demo",
        "shuffleseg_training",
        "shuffleseg_training.engines",
    ],
    ext_modules=[
        compiled("shuffleseg_core", "shuffleseg_core/native"),
        compiled("shuffleseg_training", "training/native"),
    ],
    package_dir={"shuffleseg_training": "training"},
    package_data={
        "shuffleseg_ros": ["*.xml"],
        "shuffleseg_core": ["shipped/*", "native/*.c"],
        "shuffleseg_core.benchmark": ["*.json"],
        "shuffleseg_core.models.heads": ["*.json"],
        "shuffleseg_training": ["recipes/*.yaml", "searches/*.yaml", "native/*.c"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", sorted(glob("launch/*.launch.py"))),
        *(
            (f"share/{NAME}/{folder}", sorted(glob(f"{folder}/*.*")))
            for folder in ("config", "config/sros2", "config/systemd")
        ),
    ],
    install_requires=[
        "setuptools",
        "numpy>=1.23.2,<3",
        "opencv-python-headless>=4.5.4,<6",
        "ai-edge-litert>=1.2,<3",
        "flatbuffers>=2",
        "PyYAML>=5.4,<7",
        "tqdm>=4.57,<5",
        "rosbags>=0.11,<0.12",
    ],
    extras_require={
        "ros": ROS_WHEELS,
        "demo": PICTURES,
        "train": [*TRAINING, "tensorflow-cpu>=2.19,<2.22"],
        # Training without TensorFlow; on a GPU machine install jax[cuda12] beside it.
        "train-jax": [*TRAINING, "jax>=0.4.34"],
        # The browser view. 0.23.1 is the last that takes numpy 1, which ROS 2 is built for up to
        # Kilted.
        "view": ["rerun-sdk>=0.23.1,<0.42"],
        # threadpoolctl limits BLAS's threads while the machine's own rate is measured; the others
        # are runtimes to compare with. Never on a robot.
        "benchmark": [
            *PICTURES,
            "threadpoolctl>=3.1,<4",
            "onnx>=1.16,<2",
            "onnxruntime>=1.20,<2",
            "openvino>=2024.4,<2028",
        ],
        "dev": [
            "pytest>=8,<10",
            # Two tests at a time: half of them wait for a process of their own.
            "pytest-xdist>=3.6,<4",
            "hypothesis>=6.100,<7",
            "ruff>=0.11,<1",
            # The benchmark's own evaluation, to which ours is held equal.
            "cityscapesscripts>=2.2.4,<3",
            # To build and try the package as a robot's workspace does.
            "colcon-common-extensions>=0.3,<1",
            "catkin_pkg>=1,<2",
        ],
    },
    entry_points={
        "console_scripts": [
            "shuffleseg = shuffleseg_core.cli:main",
            "segmentation_node = shuffleseg_ros.executables:segmentation_node",
            "segmentation_view = shuffleseg_ros.executables:segmentation_view",
            "drive_player = shuffleseg_ros.executables:drive_player",
        ],
        "shuffleseg.recordings": ["rosbag2 = shuffleseg_ros.bag_recording"],
        "shuffleseg.commands": [
            "train = shuffleseg_training.train_command",
            "bag = shuffleseg_ros.bag_command",
            "bag-segment = shuffleseg_ros.bag_segment_command",
            "demo = shuffleseg_ros.demo.command",
            "benchmark = shuffleseg_core.commands.benchmark",
            "benchmark-input = shuffleseg_training.benchmark_input_command",
            "benchmark-node = shuffleseg_ros.node_benchmark_command",
            "check-data = shuffleseg_core.commands.check_data",
            "compare-labels = shuffleseg_core.commands.compare_labels",
            "compare-masks = shuffleseg_core.commands.compare_masks",
            "compare-scores = shuffleseg_core.commands.compare_scores",
            "draw-drive = shuffleseg_core.commands.draw_drive",
            "evaluate = shuffleseg_core.commands.evaluate",
            "export = shuffleseg_core.commands.export",
            "import-weights = shuffleseg_core.commands.import_weights",
            "rebalance = shuffleseg_training.rebalance_command",
            "search = shuffleseg_training.search_command",
            "segment = shuffleseg_core.commands.segment",
            "summary = shuffleseg_core.commands.summary",
            "tables = shuffleseg_core.commands.tables",
        ],
    },
    zip_safe=False,
)
