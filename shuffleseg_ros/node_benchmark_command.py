"""`shuffleseg benchmark-node`: what the ROS 2 node costs over the bare Segmenter, here."""

import sys

HELP = "measure the segmentation node on this machine: overhead, latency, memory"

_IMAGES = 24  # different ones, played over and over
_BARE_FRAMES = 150  # before the node runs, and again after it
_BARE_WARM_UP = 20
_ROUNDS = 3  # of one camera and of several, in turns


def add_arguments(parser):
    from shuffleseg_core.json_output import add_json_option

    parser.add_argument(
        "--model",
        default="",
        metavar="MODEL",
        help=".tflite file, or the name of a shipped model (the default one)",
    )
    parser.add_argument("--threads", type=int, default=2, help="inference threads (%(default)s)")
    parser.add_argument(
        "--drive",
        metavar="FRAMES",
        help="images, folder, video or rosbag2, of which some are played over and over (the "
        "procedural street)",
    )
    parser.add_argument(
        "--size", default="1280x720", metavar="WxH", help="of the camera's images (%(default)s)"
    )
    parser.add_argument(
        "--encoding", default="bgr8", help="of the camera's images (%(default)s)", metavar="NAME"
    )
    parser.add_argument(
        "--rate", type=float, default=30.0, help="frames a second (%(default)s)", metavar="HZ"
    )
    parser.add_argument(
        "--frames",
        type=int,
        default=1000,
        help="to play; memory's growth wants 10000 (%(default)s)",
        metavar="N",
    )
    parser.add_argument(
        "--cameras",
        type=int,
        metavar="N",
        help="instead: labelled frames a second of N cameras in one node, against one camera",
    )
    parser.add_argument(
        "--seconds", type=float, default=15.0, help="with --cameras: of each run (%(default)s)"
    )
    add_json_option(parser)
    parser.add_argument("--chart", metavar="FILE.png", help="draw the times and the memory")


def run(args) -> int:
    from shuffleseg_core.errors import UserError

    try:
        from shuffleseg_ros import node_benchmark
        from shuffleseg_ros.benchmark_camera import ENCODINGS
    except ImportError as error:
        raise UserError(
            f"benchmark-node needs ROS 2 ({error}); source a ROS 2 installation, "
            "or in the checkout run `pip install '.[ros]'`"
        ) from error
    import numpy as np
    from tqdm import tqdm

    from shuffleseg_core.benchmark.interleaved import summary
    from shuffleseg_core.benchmark.machine import machine, software
    from shuffleseg_core.benchmark.source_images import source_images
    from shuffleseg_core.figure_file import check_png_name
    from shuffleseg_core.json_output import write_json
    from shuffleseg_core.segmenter import Segmenter
    from shuffleseg_core.size import format_size, parse_size
    from shuffleseg_ros.node_benchmark_figures import figures
    from shuffleseg_ros.node_benchmark_report import draw_node_benchmark, print_node_report

    if args.frames < 1 or not 1 <= args.rate <= 1000:
        raise UserError("--frames takes 1 or more, --rate 1 to 1000")
    if args.encoding not in ENCODINGS:
        raise UserError(f"--encoding {args.encoding!r}: give one of {', '.join(ENCODINGS)}")
    chart = check_png_name("--chart", args.chart) if args.chart else None
    size = parse_size(args.size)
    segmenter = Segmenter(args.model or None, args.threads)
    images = source_images(args.drive, [size], _IMAGES, "--drive")[size]
    if args.cameras is not None:
        return _throughput(args, segmenter, images)
    bare_frames = min(_BARE_FRAMES, args.frames)
    seconds = [_bare(segmenter, images, bare_frames, args.rate)]
    with tqdm(total=args.frames, unit="frame", disable=None) as bar:
        recording, interrupted = node_benchmark.record(
            np.stack(images),
            args.model,
            args.threads,
            args.encoding,
            args.rate,
            args.frames,
            lambda played: bar.update(played - bar.n),
        )
    if not interrupted:  # once more: the machine may have been slower before
        seconds.append(_bare(segmenter, images, bare_frames, args.rate))
    elif not recording.rows:
        raise KeyboardInterrupt
    report = {
        **machine(),
        "software": software(),
        "model": segmenter.model_path.name,
        "threads": args.threads,
        "size": format_size(size),
        "encoding": args.encoding,
        "rate_hz": args.rate,
        "drive": args.drive or "the procedural street",
        "bare_segmenter": summary(np.concatenate(seconds)),
        **figures(recording),
    }
    plain = report["labels_only"]
    report["total_over_bare"] = plain and plain["total_p50_ms"] / report["bare_segmenter"]["p50_ms"]
    if args.json != "-":
        print_node_report(report)
    if args.json:
        write_json(args.json, report)
    if chart:
        draw_node_benchmark(recording, report, chart)
        print(f"{chart}", file=sys.stderr)
    if interrupted:
        raise KeyboardInterrupt
    return 0


def _throughput(args, segmenter, images) -> int:
    import numpy as np
    from tqdm import tqdm

    from shuffleseg_core.benchmark.machine import machine, software
    from shuffleseg_core.errors import UserError
    from shuffleseg_core.json_output import write_json
    from shuffleseg_ros.node_throughput import throughput

    if args.cameras < 2 or args.seconds <= 0:
        raise UserError("--cameras takes 2 or more, --seconds more than 0")
    with tqdm(total=2 * _ROUNDS, unit="run", disable=None) as bar:
        found = throughput(
            *(np.stack(images), args.model, args.threads, args.encoding, args.rate),
            *(args.cameras, args.seconds, _ROUNDS, bar.update),
        )
    report = {
        **machine(),
        "software": software(),
        "model": segmenter.model_path.name,
        "threads": args.threads,
        "size": args.size,
        "encoding": args.encoding,
        "rate_hz": args.rate,
        **found,
    }
    if args.json != "-":
        each = ", ".join(f"{rate:.1f}" for rate in found["of_each"])
        print(
            f"{report['model']}, threads {args.threads}; {args.size} {args.encoding}, "
            f"{args.rate:g} frames/s in all\n"
            f"one camera: {found['one_camera']:.1f} labelled a second; {args.cameras} cameras: "
            f"{found['several_cameras']:.1f} ({each}); ratio {found['ratio']:.3f}"
        )
    if args.json:
        write_json(args.json, report)
    return 0


def _bare(segmenter, images, frames, rate):
    """float64 [frames, 3]: seconds of the Segmenter's stages in a loop of its own.

    At the camera's rate: caches and threads that went idle cost the node as well.
    """
    import time

    import numpy as np

    from shuffleseg_core.benchmark.interleaved import measure

    out = np.empty(images[0].shape[:2], np.uint8)
    due = time.monotonic()

    def label(number):
        nonlocal due
        time.sleep(max(due - time.monotonic(), 0))
        due = max(due, time.monotonic()) + 1 / rate
        segmenter.segment(images[number % len(images)], out)
        return segmenter.timings

    return measure([label], frames, _BARE_WARM_UP)[0]
