"""`shuffleseg compare-scores`: results of `shuffleseg evaluate --json` as a picture."""

import json
import math

from ..errors import UserError, first_line
from ..user_path import user_path
from .named_path import parse_named_path

HELP = "draw the scores that `evaluate --json` wrote as bars, class by class"


def add_arguments(parser):
    parser.add_argument(
        "scores",
        nargs="+",
        metavar="[NAME=]FILE.json",
        help="what `shuffleseg evaluate --json` wrote, with a name for its bars",
    )
    parser.add_argument("--title", help="above the picture (data set and split)")
    parser.add_argument("--output", required=True, metavar="FILE.png", help="file to write")


def run(args) -> int:
    from ..evaluation.score_bars import draw_score_bars
    from ..figure_file import check_png_name

    output = check_png_name("--output", args.output)
    names, reports = [], []
    for text in args.scores:
        name, path = parse_named_path(text)
        names.append(name)
        reports.append(_read(path))
        if list(reports[-1]["iou"]) != list(reports[0]["iou"]):
            raise UserError(f"{path}: its classes are not those of {args.scores[0]}")
    if len(set(names)) < len(names):
        raise UserError("two of the files have one name; name them, as float=a/val.json")
    about = {(str(report.get("dataset")), str(report.get("split"))) for report in reports}
    if len(about) > 1:
        raise UserError(
            "the files are of different data: "
            + ", ".join(f"{dataset} {split}" for dataset, split in sorted(about))
        )
    title = args.title or " ".join(about.pop())
    draw_score_bars([report["iou"] for report in reports], names, title, output)
    print(f"{output}: {len(names)} models, {len(reports[0]['iou'])} classes")
    return 0


def _read(path: str) -> dict:
    """What `evaluate` wrote; classes without a score have NaN."""
    try:
        report = json.loads(user_path(path).read_text(encoding="utf-8"))
        iou = {
            name: math.nan if value is None else float(value)
            for name, value in report["iou"].items()
        }
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: not what `shuffleseg evaluate --json` writes: {first_line(error)}"
        ) from error
    if any(math.isinf(value) for value in iou.values()):
        raise UserError(f"{path}: a score in it is infinite")
    if not iou:
        raise UserError(f"{path}: no classes in it")
    return {**report, "iou": iou}
