"""`shuffleseg demo`: a drive goes in, labels come out, and what happened is left to look at."""

HELP = "run node and player on a drive for a while; leave pictures, a video and figures"


def add_arguments(parser):
    parser.add_argument(
        "--drive", default="", help="folder of images, video or rosbag2 (the synthetic drive)"
    )
    parser.add_argument("--output", default="demo_out", help="folder for the results (%(default)s)")
    parser.add_argument(
        "--model",
        default="",
        metavar="MODEL",
        help=".tflite file, or the name of a shipped model (the default one)",
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="how long (%(default)s)")
    parser.add_argument(
        "--rate", type=float, default=15.0, help="frames a second; 0: the drive's own (%(default)s)"
    )
    parser.add_argument("--threads", type=int, default=2, help="inference threads (%(default)s)")


def run(args) -> int:
    from shuffleseg_core.errors import UserError

    if not 1 <= args.seconds <= 3600:
        raise UserError(f"--seconds {args.seconds:g}: give 1 to 3600")
    try:
        import rclpy  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"the demo needs ROS 2 ({error}); source a ROS 2 installation, "
            "or in the checkout run `pip install '.[ros,demo]'`"
        ) from error
    from .run import run_demo

    run_demo(args.drive, args.output, args.model, args.seconds, args.rate, args.threads)
    return 0
