"""`shuffleseg import-weights`: an official checkpoint → a run folder."""

import os

from ..errors import needs_extra
from ..label_map import LabelMap

HELP = "make a run folder of an official TensorFlow 1 checkpoint (needs TensorFlow)"


def add_arguments(parser):
    parser.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        help="checkpoint of sercant/mobile-segmentation: its folder, or PREFIX of PREFIX.index",
    )
    parser.add_argument("--output", required=True, metavar="RUN", help="run folder to write")
    parser.add_argument(
        "--label-map",
        choices=LabelMap.known(),
        help="classes of the checkpoint (Cityscapes' where there are 19, else without names)",
    )
    parser.add_argument(
        "--size",
        metavar="WIDTHxHEIGHT",
        default="769x769",
        help="input size in pixels that the run folder exports for by default (%(default)s)",
    )
    parser.add_argument(
        "--stage4-rate",
        type=int,
        choices=(1, 2),
        default=1,
        help="atrous rate of stage 4: 1 as the published checkpoints were trained "
        "(%(default)s), 2 as the paper says",
    )


def run(args) -> int:
    from ..size import parse_size

    size = parse_size(args.size)
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        import keras  # noqa: F401

        from ..import_weights.segmentation_checkpoint import import_segmentation_checkpoint
    except (ImportError, ValueError) as error:  # ValueError: Keras knows no such backend
        raise needs_extra("importing needs TensorFlow and Keras", error) from error

    network, report = import_segmentation_checkpoint(
        args.checkpoint,
        args.output,
        LabelMap.named(args.label_map) if args.label_map else None,
        size,
        stage4_rate_1=args.stage4_rate == 1,
    )
    print(report)
    print(
        f"{args.output}: {network.model['head']} head, depth multiplier "
        f"{network.model['depth_multiplier']:g}, {len(network.label_map)} classes; "
        f"next: shuffleseg export {args.output}, shuffleseg evaluate {args.output}"
    )
    return 0
