"""`shuffleseg benchmark`: how long models take here, measured in turns."""

import contextlib
import importlib.util
import sys

from ..errors import UserError
from ..json_output import add_json_option, write_json

HELP = "measure how long models take on this machine, from camera image to labels"


def add_arguments(parser):
    parser.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help=".tflite files or names of shipped models (the default one); the first is what the "
        "others are compared with",
    )
    parser.add_argument(
        "--threads", default="2", metavar="N[,N…]", help="CPU threads to try (%(default)s)"
    )
    parser.add_argument(
        "--source",
        metavar="FRAMES",
        help="images, folder, video or rosbag2 (the procedural street)",
    )
    parser.add_argument(
        "--image-size",
        metavar="WIDTHxHEIGHT[,…]",
        help="sizes of the camera's images and so of the labels (those of the models' inputs)",
    )
    parser.add_argument("--frames", type=int, default=300, help="timed frames (%(default)s)")
    parser.add_argument(
        "--warm-up", type=int, default=20, help="frames before them (%(default)s)", metavar="N"
    )
    parser.add_argument(
        "--operators", action="store_true", help="also time each model's operators one by one"
    )
    parser.add_argument(
        "--suite",
        choices=("bars",),
        help="instead of models: our deploy path against the plain network, other runtimes and "
        "MobileNetV2, all built for this (needs TensorFlow and the extra `benchmark`)",
    )
    add_json_option(parser)
    parser.add_argument("--chart", metavar="FILE.png", help="draw the medians as bars")


def run(args) -> int:
    from tqdm import tqdm

    from ..benchmark.gemm_rate import gemm_rate
    from ..benchmark.interleaved import measure, summary
    from ..benchmark.machine import machine, software
    from ..benchmark.peak_memory import peak_memory
    from ..benchmark.report import print_operators, print_table
    from ..benchmark.source_images import source_images
    from ..figure_file import check_png_name
    from ..segmenter import MAX_THREADS, Segmenter
    from ..size import format_size, parse_size

    if args.frames < 1 or args.warm_up < 0:
        raise UserError("--frames takes 1 or more, --warm-up 0 or more")
    chart = check_png_name("--chart", args.chart) if args.chart else None
    if args.suite:
        return _run_bars(args, chart)
    threads = [_integer("--threads", part, MAX_THREADS) for part in args.threads.split(",")]
    sizes = [parse_size(part) for part in args.image_size.split(",")] if args.image_size else None
    entries = []  # (size of the camera's images, Segmenter)
    for model in args.models or [None]:
        for count in threads:
            for size in sizes or [Segmenter(model, count).input_size]:
                # One each: a robot's camera does not change its size from frame to frame.
                entries.append((size, Segmenter(model, count)))
    images = source_images(args.source, {size for size, _ in entries})
    gemm = _unless_it_fails(lambda: {str(count): gemm_rate(count) for count in threads})
    with tqdm(total=(args.warm_up + args.frames) * len(entries), unit="frame", disable=None) as bar:
        seconds = measure(
            [_pipeline(segmenter, images[size], bar) for size, segmenter in entries],
            args.frames,
            args.warm_up,
        )
    results = []
    names = _names([segmenter.model_path for _, segmenter in entries])
    for (size, segmenter), taken in zip(entries, seconds):
        path, count = segmenter.model_path, segmenter.num_threads
        results.append(
            {
                "model": names[path],
                "file": str(path),
                "threads": count,
                "input_size": format_size(segmenter.input_size),
                "image_size": format_size(size),
                **summary(taken),
                "file_mb": path.stat().st_size / 1e6,
                **_unless_it_fails(peak_memory, path, count, size),
            }
        )
    for result in results:
        result["times_as_fast_as_first"] = results[0]["p50_ms"] / result["p50_ms"]
    report = {**machine(), "software": software(), "source": args.source or "procedural street"}
    report |= {"warm_up": args.warm_up, "results": results}
    # Once more: the machine may have been slower before the frames.
    report["gemm_gmac_per_s"] = {
        count: max(rate, gemm_rate(int(count))) for count, rate in gemm.items()
    }
    _add_rates(results, [segmenter for _, segmenter in entries], report["gemm_gmac_per_s"])
    if args.operators:
        report["operators"] = _unless_it_fails(_operators, entries, names)
    if args.json != "-":
        print_table(report)
        for name, times in report.get("operators", {}).items():
            print_operators(name, times)
    if args.json:
        write_json(args.json, report)
    if chart:
        from ..benchmark.chart import draw_times

        draw_times(results, f"{report['cpu']}, median of {args.frames} frames", chart)
        print(f"{chart}", file=sys.stderr)
    return 0


def _run_bars(args, chart) -> int:
    """`--suite bars`."""
    import os
    import tempfile
    from pathlib import Path

    from tqdm import tqdm

    from ..benchmark.machine import machine, software

    if args.models or args.image_size or args.threads != "2":
        raise UserError("--suite bars has models, sizes and threads of its own; leave out others")
    for package in ("tensorflow", "keras", "onnx", "onnxruntime", "openvino", "threadpoolctl"):
        if importlib.util.find_spec(package) is None:
            extra = "train" if package in ("tensorflow", "keras") else "benchmark"
            raise UserError(f"--suite bars needs {package}: pip install '.[{extra}]'")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    from ..benchmark.bars import GEMM, run_bars
    from ..benchmark.source_images import images_with_truth

    images, truths = images_with_truth(args.source)
    print("building and exporting the networks", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:

        def begin(total: int):
            return stack.enter_context(tqdm(total=total, unit="frame", disable=None)).update

        found = run_bars(
            images, truths, Path(folder), args.frames, args.warm_up, args.operators, begin
        )
    report = {**machine(), "software": software(), "source": args.source or "procedural street"}
    report |= {"frames": args.frames, "warm_up": args.warm_up, **found}
    if args.json != "-":
        from ..benchmark.report import print_bars, print_operators

        print_bars(report)
        for name, times in report.get("operators", {}).items():
            print_operators(name, times)
    if args.json:
        write_json(args.json, report)
    if chart:
        from ..benchmark.chart import draw_groups

        groups = {
            name: {label: result for label, result in group.items() if label != GEMM}
            for name, group in report["groups"].items()
        }
        draw_groups(groups, f"{report['cpu']}, median of {args.frames} frames", chart)
        print(f"{chart}", file=sys.stderr)
    return 0


def _names(paths) -> dict:
    """Path → what to call the file: its stem, or its whole path where another one has that."""
    stems = {path: path.stem for path in paths}
    return {
        path: stem if list(stems.values()).count(stem) == 1 else str(path)
        for path, stem in stems.items()
    }


def _unless_it_fails(part, *arguments) -> dict:
    """What part() finds; nothing, and a line, where it cannot: times already taken are kept."""
    try:
        return part(*arguments)
    except UserError as error:
        print(f"shuffleseg benchmark: {error}", file=sys.stderr)
        return {}


def _integer(option: str, text: str, most: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 1 <= value <= most:
        raise UserError(f"{option} {text!r}: give 1 to {most}, several with commas between")
    return value


def _pipeline(segmenter, images, bar):
    """Frame number → `StageTimings`; labels go where the last frame's were."""
    import numpy as np

    out = np.empty(images[0].shape[:2], np.uint8)

    def run(number):
        segmenter.segment(images[number % len(images)], out)
        bar.update()
        return segmenter.timings

    return run


def _add_rates(results, segmenters, gemm) -> None:
    """GMAC/s from frame in to labels out, and as a share of what the machine can do."""
    from ..tflite_file import TFLiteFile

    for result, segmenter in zip(results, segmenters):
        gmac = TFLiteFile(segmenter.model_path).macs / 1e9
        result["gmac"] = gmac
        result["gmac_per_s"] = 1000 * gmac / result["p50_ms"]
        if gemm:
            result["gemm_share"] = result["gmac_per_s"] / gemm[str(result["threads"])]


def _operators(entries, names) -> dict:
    """Model and threads in words → its operators' times."""
    from dataclasses import asdict

    from ..benchmark.operator_times import operator_times

    found = {}
    for _, segmenter in entries:
        path, threads = segmenter.model_path, segmenter.num_threads
        name = f"{names[path]}, threads {threads}"
        if name not in found:
            found[name] = [asdict(t) for t in operator_times(path, threads)]
    return found
