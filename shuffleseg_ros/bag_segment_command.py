"""`shuffleseg bag-segment`: a rosbag2 with labels for every image of another one."""

HELP = "label every image of a rosbag2 into another one"


def add_arguments(parser):
    parser.add_argument("source", metavar="BAG", help="rosbag2 with raw or compressed images")
    parser.add_argument("target", metavar="OUT_BAG", help="directory to make; must not exist")
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help=".tflite file, or the name of a shipped model (the default one)",
    )
    parser.add_argument(
        "--topic",
        action="append",
        help="label this topic; may be given several times (all of images)",
    )
    parser.add_argument(
        "--copy",
        choices=("none", "images", "all"),
        default="none",
        help="which of the input's messages come along (%(default)s)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=2,
        metavar="N",
        help="images labelled at once, one thread each (%(default)s)",
    )
    parser.add_argument(
        "--storage", choices=("sqlite3", "mcap"), help="of the output (as the input)"
    )


def run(args):
    import sys

    from tqdm import tqdm

    from shuffleseg_core.errors import UserError
    from shuffleseg_core.segmenter import MAX_THREADS
    from shuffleseg_ros.bag_segmentation import SUFFIX, BagSegmentation

    if not 1 <= args.workers <= MAX_THREADS:
        raise UserError(f"--workers is {args.workers}; give 1 to {MAX_THREADS}")
    work = BagSegmentation(
        args.source,
        args.target,
        model=args.model,
        workers=args.workers,
        topics=args.topic,
        copy=args.copy,
        storage=args.storage,
    )
    errors = []
    with tqdm(total=work.total, initial=work.done, unit="frame", disable=None) as bar:

        def report(reason):
            errors.append(reason)
            tqdm.write(f"shuffleseg bag-segment: {reason}", file=sys.stderr)

        work.run(on_image=bar.update, on_error=report)
    before = f", {work.done} images before" if work.done else ""
    topics = ", ".join(topic + SUFFIX for topic in work.topics)
    print(f"{args.target}: {work.labelled} label images{before} on {topics}")
    if errors:
        raise UserError(f"{len(errors)} messages could not be read; the others are labelled")
    return 0
