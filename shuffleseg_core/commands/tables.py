"""`shuffleseg tables`: the paper's tables 2 and 5 for all systems, measured anew in one run."""

import contextlib
import os
import shlex
import tempfile
from pathlib import Path

from ..atomic_file import atomic_path
from ..errors import UserError, needs_extra
from ..json_output import write_json

HELP = "make the paper's tables anew on this machine, for all systems (needs TensorFlow)"

_SCORES = Path("docs") / "peer_scores.json"


def add_arguments(parser):
    parser.add_argument(
        "--output",
        default="docs/tables",
        metavar="PATH",
        help="writes PATH.md, PATH.json and PATH.png (%(default)s)",
    )
    parser.add_argument(
        "--systems", metavar="KEY[,KEY…]", help="which (all that have a network here)"
    )
    parser.add_argument(
        "--sizes",
        default="224x224,640x360",
        metavar="WIDTHxHEIGHT[,…]",
        help="of the networks' inputs and labels (%(default)s)",
    )
    parser.add_argument("--threads", type=int, default=2, help="of one inference (%(default)s)")
    parser.add_argument(
        "--source",
        metavar="FRAMES",
        help="images, folder, video or rosbag2 (the procedural street)",
    )
    parser.add_argument("--frames", type=int, default=300, help="timed frames (%(default)s)")
    parser.add_argument(
        "--warm-up", type=int, default=20, help="frames before them (%(default)s)", metavar="N"
    )
    parser.add_argument(
        "--slow-ms",
        type=float,
        default=500,
        metavar="MS",
        help="systems slower than this have only every k-th frame, so that they cost no more than "
        "this a frame on average (%(default)s)",
    )
    parser.add_argument(
        "--work",
        metavar="FOLDER",
        help="keeps the exported files, so that a run after an interrupted one goes on with them "
        "(a temporary one)",
    )
    parser.add_argument(
        "--times",
        metavar="FILE.json",
        help="measure nothing: take an earlier run's figures, with the scores of now",
    )
    parser.add_argument(
        "--scores",
        metavar="FILE.json",
        help="scores of our training: table.json of `shuffleseg search camvid_peers`, or {system: "
        f"{{left_out_drive: mIoU in %%, val: …, seed: …}}}} ({_SCORES} where it is)",
    )


def run(args) -> int:
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    from ..benchmark.tables_report import markdown, read_scores, report_systems
    from ..benchmark.tradeoff_chart import draw_tradeoff
    from ..figure_file import require_matplotlib
    from ..user_path import user_path

    if args.frames < 1 or args.warm_up < 0:
        raise UserError("--frames takes 1 or more, --warm-up 0 or more")
    if not args.slow_ms > 0:
        raise UserError(f"--slow-ms is {args.slow_ms:g}; give more than 0")
    scores = {}
    if args.scores or _SCORES.is_file():
        scores = read_scores(user_path(args.scores) if args.scores else _SCORES)
    output = user_path(args.output)
    require_matplotlib("--output")
    report, systems, counts, times = (
        _measured_before(user_path(args.times)) if args.times else _measure(args)
    )
    report["systems"] = report_systems(systems, counts, times, scores, report["compared_at"])
    paths = {kind: output.parent / f"{output.name}.{kind}" for kind in ("json", "png", "md")}
    write_json(paths["json"], report)
    draw_tradeoff(report, paths["png"])
    try:
        with atomic_path(paths["md"]) as temporary:
            temporary.write_text(markdown(report, paths["png"].name), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{paths['md']}: cannot be written: {error.strerror}") from error
    print("\n".join(str(path) for path in paths.values()))
    return 0


def _measure(args) -> tuple[dict, list, dict, dict]:
    """What was measured how; the systems; their counts and times."""
    from tqdm import tqdm

    from ..benchmark.machine import machine, software
    from ..benchmark.source_images import source_images
    from ..benchmark.systems import choose_systems
    from ..models.architectures import ARCHITECTURES
    from ..segmenter import MAX_THREADS
    from ..size import format_size, parse_size
    from ..user_path import user_path

    if not 1 <= args.threads <= MAX_THREADS:
        raise UserError(f"--threads is {args.threads}; give 1 to {MAX_THREADS}")
    systems, missing = choose_systems(args.systems, ARCHITECTURES)
    sizes = list(dict.fromkeys(parse_size(part) for part in args.sizes.split(",")))
    try:
        import keras  # noqa: F401
        import tensorflow  # noqa: F401
    except ImportError as error:
        raise needs_extra("the tables need TensorFlow and Keras", error) from error
    from ..benchmark.tables import FORMS, count_systems, export_systems, time_systems

    images = source_images(args.source, set(sizes))
    street, truths, fitted_to = _to_fit_to(args.source)
    with contextlib.ExitStack() as stack:
        folder = args.work or stack.enter_context(tempfile.TemporaryDirectory())

        def begin(total: int, unit: str = "frame"):
            return stack.enter_context(tqdm(total=total, unit=unit, disable=None)).update

        networks = {system.network for system in systems}
        tick = begin(len(networks) * len(FORMS) * len(sizes), "file")
        files = export_systems(systems, sizes, user_path(folder), street, truths, tick)
        counts = count_systems(systems, sizes)
        times = time_systems(
            *(systems, files, {size: images[size] for size in sizes}, args.threads),
            *(args.frames, args.warm_up, args.slow_ms, begin),
        )
    report = {
        "command": _command(args),
        **machine(),
        "software": software(),
        "threads": args.threads,
        "frames": args.frames,
        "warm_up": args.warm_up,
        "slow_ms": args.slow_ms,
        "source": _shown(args.source) if args.source else "the procedural street",
        "fitted_to": fitted_to,
        "sizes": [format_size(size) for size in sizes],
        "compared_at": format_size(max(sizes, key=lambda size: size[0] * size[1])),
        "not_built": [system.title for system in missing],
    }
    return report, systems, counts, times


def _measured_before(path: Path) -> tuple[dict, list, dict, dict]:
    """As `_measure`, of an earlier run's JSON."""
    import json

    from ..benchmark.systems import SYSTEMS

    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        rows = report.pop("systems")
        counts = {
            key: {name: row[name] for name in ("parameters", "gmac", "fitted")}
            for key, row in rows.items()
        }
        times = {key: row["times"] for key, row in rows.items()}
        if not rows or "compared_at" not in report:
            raise KeyError("compared_at")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: no tables of an earlier run: {error!r}") from error
    return report, [system for system in SYSTEMS if system.key in rows], counts, times


def _to_fit_to(source):
    """Images, their true labels, and in words what these are."""
    from ..benchmark.source_images import images_with_truth

    if source is not None:
        with contextlib.suppress(UserError):  # it was read before, so what it lacks are labels
            return *images_with_truth(source), "the labels beside the frames"
    return *images_with_truth(None), "the procedural street"


def _command(args) -> str:
    """What makes these tables again."""
    words = ["shuffleseg", "tables"]
    for name in ("systems", "sizes", "threads", "source", "frames", "warm_up", "slow_ms", "scores"):
        value = getattr(args, name)
        if value is not None:
            if name in ("source", "scores"):
                value = _shown(value)
            words += [f"--{name.replace('_', '-')}", f"{value}"]
    return shlex.join(words)


def _shown(path: str) -> str:
    """As it was given; of a place on this machine the name alone."""
    return Path(path).name if Path(path).expanduser().is_absolute() else path
