"""`shuffleseg export`: trained weights → .tflite."""

import os
from pathlib import Path

from ..errors import UserError, needs_extra

HELP = "write a trained network as a .tflite that describes itself (needs TensorFlow)"


def add_arguments(parser):
    parser.add_argument(
        "folder", metavar="RUN", help="folder of a training, as `shuffleseg train` leaves it"
    )
    parser.add_argument("--output", required=True, metavar="FILE.tflite", help="file to write")
    parser.add_argument(
        "--form",
        choices=("logits", "labels"),
        default="logits",
        help="what the graph ends with: logits before the last resize, which are enlarged to the "
        "camera's size outside (%(default)s), or class ids at input size",
    )
    parser.add_argument(
        "--input",
        choices=("float32", "uint8"),
        help="dtype of the input image (float32; with --int8 uint8)",
    )
    parser.add_argument(
        "--graph",
        choices=("auto", "deploy", "plain"),
        default="auto",
        help="the same labels with less work (deploy), layer by layer as it was trained (plain), "
        "or deploy for the networks that have it (%(default)s)",
    )
    parser.add_argument(
        "--int8",
        metavar="FRAMES",
        help="quantize all of it to 8 bits, for a third of the size; value ranges are measured on "
        "this folder of images or video, which should look like what the camera will see",
    )
    parser.add_argument(
        "--calibration-frames",
        type=int,
        metavar="N",
        help="how many of the FRAMES, evenly spread (100)",
    )
    parser.add_argument(
        "--size", metavar="WIDTHxHEIGHT", help="input size in pixels (that of the training)"
    )
    parser.add_argument(
        "--weights", metavar="FILE", help="other weights of the same network, as a checkpoint's"
    )


def run(args) -> int:
    from ..size import format_size, parse_size
    from ..user_path import user_path

    size = parse_size(args.size) if args.size else None
    if not args.output.endswith(".tflite"):
        raise UserError(f"--output {args.output}: the name must end in .tflite")
    if args.int8 and args.input == "float32":
        raise UserError("--int8 takes images of uint8; leave out --input float32")
    if args.calibration_frames is not None and not (args.int8 and args.calibration_frames >= 1):
        raise UserError("--calibration-frames: give 1 or more, beside --int8 FRAMES")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        import keras  # noqa: F401
        import tensorflow  # noqa: F401

        from ..export.calibration import calibration_frames
        from ..export.tflite_export import export_tflite
        from ..models.trained_network import TrainedNetwork
        from ..trained_files import WEIGHTS
    except ImportError as error:
        raise needs_extra("exporting needs TensorFlow and Keras", error) from error

    folder = user_path(args.folder)
    network = TrainedNetwork.load_record(folder)
    calibration = None
    if args.int8:
        calibration = calibration_frames(
            args.int8, args.calibration_frames or 100, size or network.input_size
        )
    description = export_tflite(
        network,
        args.output,
        weights_file=args.weights or folder / WEIGHTS,
        output=args.form,
        input_dtype=args.input or ("uint8" if args.int8 else "float32"),
        input_size=size,
        calibration=calibration,
        graph=args.graph,
    )
    megabytes = Path(args.output).stat().st_size / 1e6
    print(
        f"{args.output}: {megabytes:.2f} MB, {description.output} of "
        f"{len(description.label_map)} classes, input {format_size(description.input_size)}"
    )
    return 0
