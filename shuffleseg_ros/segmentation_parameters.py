"""The parameters of the segmentation node; docs/parameters.md and config/segmentation.yaml are
written from this table (parameter_docs)."""

import dataclasses

from shuffleseg_ros.image_subscription import RELIABILITIES, TRANSPORTS
from shuffleseg_ros.node_parameters import NodeParameter

CAMERAS = NodeParameter(
    "cameras",
    [""],
    "Names of the cameras that share the model: each has its topics NAME/image and ~/NAME/labels. "
    "One empty name: a single camera, on image and ~/labels.",
)

NUM_THREADS = NodeParameter("num_threads", 2, "Threads of the inference.", 1, 16, live=True)

PARAMETERS = (
    CAMERAS,
    NodeParameter(
        "autostart",
        True,
        "Configure and activate at the start. false: wait for a lifecycle manager.",
    ),
    NodeParameter(
        "model",
        "",
        "Path of a .tflite model, or the name of a shipped one; empty: the default one of these.",
        live=True,
    ),
    NUM_THREADS,
    NodeParameter(
        "lazy",
        True,
        "Label a camera's frames only while somebody subscribes to one of its outputs.",
        live=True,
    ),
    NodeParameter(
        "remap",
        [""],
        "Classes to publish, as rules 'NEW=OLD,OLD', 'OLD' (as it is) or 'NEW=*' (all others), in "
        "the order of their new ids; others become 255, unlabelled. One empty rule: the model's.",
        live=True,
    ),
    NodeParameter(
        "probability_classes",
        [""],
        "Published classes of which ~/probability/CLASS tells the probability.",
        live=True,
    ),
    NodeParameter(
        "overlay_opacity",
        0.5,
        "Share of the class colour in ~/overlay: 0 only the camera, 1 only the colours.",
        0.0,
        1.0,
        live=True,
    ),
    NodeParameter(
        "image_transport",
        "raw",
        "raw: sensor_msgs/Image; compressed: sensor_msgs/CompressedImage (JPEG, PNG) on the image "
        "topic's name + /compressed.",
        choices=tuple(TRANSPORTS),
        per_camera=True,
    ),
    NodeParameter(
        "image_reliability",
        "auto",
        "Quality of service of the image subscription: auto takes reliable where all "
        "publishers offer it, else best effort.",
        choices=RELIABILITIES,
        per_camera=True,
    ),
    NodeParameter(
        "output_size",
        "camera",
        "Size of all image outputs: camera, network (the model's input) or WIDTHxHEIGHT.",
        live=True,
        per_camera=True,
    ),
    NodeParameter(
        "roi",
        "",
        "Region of interest of the camera image, 'x,y,width,height' in pixels: only this is "
        "labelled, the rest is 255, unlabelled. Empty: all.",
        live=True,
        per_camera=True,
    ),
    NodeParameter(
        "ego_mask",
        "",
        "Path of an image that is not black where the camera sees its own vehicle; there labels "
        "are 255, unlabelled. It is scaled to the camera's size. Empty: none.",
        live=True,
        per_camera=True,
    ),
    NodeParameter(
        "rate_limit",
        0.0,
        "Frames a second to label at most; 0: as many as there are.",
        0.0,
        1000.0,
        live=True,
        per_camera=True,
    ),
    NodeParameter(
        "expected_rate",
        0.0,
        "Frames a second below which (less 10 %) diagnostics say WARN, arriving or labelled; "
        "0: any rate is fine.",
        0.0,
        1000.0,
        live=True,
        per_camera=True,
    ),
    NodeParameter(
        "deadline_ms",
        0.0,
        "Milliseconds from an image's stamp until its labels are published; later ones are counted "
        "as misses. 0: no deadline.",
        0.0,
        60000.0,
        live=True,
        per_camera=True,
    ),
    NodeParameter(
        "deadline_warn_share",
        0.05,
        "Share of frames later than the deadline above which diagnostics say WARN.",
        0.0,
        1.0,
        live=True,
        per_camera=True,
    ),
    NodeParameter(
        "deadline_error_share",
        0.5,
        "Share of frames later than the deadline above which diagnostics say ERROR.",
        0.0,
        1.0,
        live=True,
        per_camera=True,
    ),
    NodeParameter(
        "stale_timeout",
        2.0,
        "Seconds without a frame after which diagnostics say STALE.",
        0.1,
        3600.0,
        live=True,
        per_camera=True,
    ),
    NodeParameter(
        "temperature_warn",
        80.0,
        "Degrees Celsius of the processor from which on diagnostics say WARN.",
        0.0,
        200.0,
        live=True,
    ),
    NodeParameter(
        "temperature_error",
        95.0,
        "Degrees Celsius of the processor from which on diagnostics say ERROR.",
        0.0,
        200.0,
        live=True,
    ),
    NodeParameter(
        "memory_warn_mb",
        0.0,
        "Resident memory of the node in MB above which diagnostics say WARN; 0: any.",
        0.0,
        1e6,
        live=True,
    ),
    NodeParameter(
        "diagnostics_period", 1.0, "Seconds between two messages on /diagnostics.", 0.1, 60.0
    ),
    NodeParameter(
        "diagnostics_window",
        5.0,
        "Seconds over which diagnostics report rates and latencies, and for which a "
        "failed frame keeps them at ERROR.",
        0.5,
        300.0,
    ),
)

#: Names of those that each camera has.
PER_CAMERA = tuple(parameter.name for parameter in PARAMETERS if parameter.per_camera)


def camera_parameters(camera, values):
    """The parameters of a named camera, `camera.NAME`; `values` (by name) are their defaults."""
    return [
        dataclasses.replace(
            parameter, name=f"{camera}.{parameter.name}", default=values[parameter.name]
        )
        for parameter in PARAMETERS
        if parameter.per_camera
    ]
