"""`shuffleseg bag`: writes a folder of images or a video as a rosbag2."""

import re

HELP = "write images or a video as a rosbag2 that `ros2 bag play` plays"
TOPIC = r"(/[A-Za-z_][A-Za-z0-9_]*)+"


def add_arguments(parser):
    parser.add_argument("images", metavar="IMAGES", help="folder of images, or a video file")
    parser.add_argument("bag", metavar="OUT_BAG", help="directory to make; must not exist")
    parser.add_argument(
        "--rate",
        type=_positive,
        metavar="HZ",
        help="frames a second (default: the video's own, 15 for images)",
    )
    parser.add_argument(
        "--topic",
        default="/camera/image",
        help="topic of the images; the camera_info goes beside it (default: %(default)s)",
    )
    parser.add_argument(
        "--frame-id",
        default="camera_optical_frame",
        help="frame_id of the messages (default: %(default)s)",
    )
    parser.add_argument(
        "--storage",
        choices=("sqlite3", "mcap"),
        default="sqlite3",
        help="sqlite3 plays everywhere; mcap needs rosbag2_storage_mcap before "
        "Jazzy (default: %(default)s)",
    )


def run(args):
    import sys

    from tqdm import tqdm

    from shuffleseg_core.errors import UserError
    from shuffleseg_core.frame_source import open_frames
    from shuffleseg_ros.bag import write_bag

    if not re.fullmatch(TOPIC, args.topic):
        raise UserError(f"--topic {args.topic}: must be a full topic name such as /camera/image")
    frames = open_frames(args.images)
    unreadable = []
    try:
        total = len(frames)
    except TypeError:
        total = None
    with tqdm(frames, total=total, unit="frame", disable=None) as progress:

        def report(error):
            unreadable.append(error)
            progress.write(f"skipped: {error}", file=sys.stderr)

        count = write_bag(
            progress,
            args.bag,
            rate=args.rate,
            topic=args.topic,
            frame_id=args.frame_id,
            storage=args.storage,
            on_unreadable=report,
        )
    print(f"{args.bag}: {count} images on {args.topic}")
    if unreadable:
        raise UserError(
            f"{len(unreadable)} of the frames could not be read; the others are in the bag"
        )
    return 0


def _positive(text):
    import argparse

    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 1000.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate above 0 and up to 1000")
    return value
