"""`shuffleseg summary`: what a .tflite holds, or what an architecture costs."""

from ..errors import UserError
from ..json_output import add_json_option, write_json

HELP = "describe a .tflite, or count an architecture's parameters and operations"


def add_arguments(parser):
    parser.add_argument(
        "model", nargs="?", metavar="MODEL", help=".tflite file, or the name of a shipped model"
    )
    parser.add_argument(
        "--architecture", help="instead of a file: a network by name; a wrong one lists all"
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of the architecture, as variant=torchvision; a wrong key lists all",
    )
    parser.add_argument("--head", help="basic or dpc")
    parser.add_argument("--classes", type=int, default=19, help="number of classes (%(default)s)")
    parser.add_argument("--size", default="224x224", metavar="WIDTHxHEIGHT", help="input size")
    parser.add_argument("--output-stride", type=int, help="8, 16 or 32")
    parser.add_argument("--depth-multiplier", type=float, help="0.5, 1, 1.5 or 2")
    add_json_option(parser)


def run(args) -> int:
    if bool(args.model) == bool(args.architecture):
        raise UserError("give either a .tflite file or --architecture")
    report = _file_report(args.model) if args.model else _architecture_report(args)
    if args.json != "-":
        for key, value in report.items():
            print(f"{key:>15}: {_readable(value)}")
    if args.json:
        write_json(args.json, report)
    return 0


def _file_report(path) -> dict:
    from ..segmenter import Segmenter
    from ..shipped_models import find_model
    from ..size import format_size
    from ..tflite_file import TFLiteFile

    path = find_model(path)
    file = TFLiteFile(path)
    segmenter = Segmenter(path, num_threads=1)
    description = segmenter.description
    macs = file.macs
    return {
        "file": str(path),
        # The trained network's count where the file tells it; else what is left after
        # batch norm was folded into the convolutions.
        "parameters": (description.parameters if description else None) or file.weight_count,
        "gmac": macs / 1e9,
        "gflops": 2 * macs / 1e9,
        "tflite_mb": len(file.data) / 1e6,
        "input_size": format_size(segmenter.input_size),
        "output": segmenter.output,
        "labels": list(segmenter.label_map.names),
        "colors": [list(color) for color in segmenter.label_map.colors],
        "ignore_id": segmenter.label_map.ignore_id,
        "architecture": description.architecture if description else None,
        "training": description.training if description else None,
        "licence": description.licence if description else None,
        "custom_operators": list(file.custom_operators),
    }


def _architecture_report(args) -> dict:
    from ..size import format_size, parse_size

    size = parse_size(args.size)
    if args.classes < 1:
        raise UserError(f"--classes is {args.classes}; give 1 or more")
    options = {
        key: value
        for key, value in (
            ("head", args.head),
            ("output_stride", args.output_stride),
            ("depth_multiplier", args.depth_multiplier),
        )
        if value is not None
    }
    options |= dict(_option(text) for text in args.option)
    from ..models import build_model
    from ..models.statistics import model_statistics

    model = build_model(args.architecture, args.classes, size, upsample=False, **options)
    costs = model_statistics(model)
    return {
        "architecture": args.architecture,
        **options,
        "classes": args.classes,
        "input_size": format_size(size),
        "parameters": costs.parameters,
        "gmac": costs.gmac,
        "gflops": costs.gflops,
        "tflite_mb": costs.tflite_mb,
    }


def _option(text: str) -> tuple[str, object]:
    import yaml

    key, separator, value = text.partition("=")
    try:
        if key and separator:
            return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        pass
    raise UserError(f"--option {text!r}: write KEY=VALUE, as variant=torchvision")


def _readable(value):
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return "unknown" if value in (None, "") else value
