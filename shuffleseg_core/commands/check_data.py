"""`shuffleseg check-data`: every image and mask of a data set read, counted and shown."""

import os
import sys

from ..errors import UserError
from ..json_output import add_json_option, write_json

HELP = "read every image and mask of a data set: mistakes, counts, pictures"

_PROBLEMS_SHOWN = 20


def add_arguments(parser):
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        help="camvid, cityscapes_fine, cityscapes_coarse, coco, voc2012 or folder",
    )
    parser.add_argument("--root", required=True, metavar="DIR", help="folder of the data set")
    parser.add_argument(
        "--split", metavar="NAME", help="a split or an expression such as train+val (every split)"
    )
    parser.add_argument(
        "--output", metavar="DIR", help="write samples.png and classes.png into this folder"
    )
    parser.add_argument(
        "--samples", type=int, default=12, help="samples in samples.png (%(default)s)"
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="reading threads (%(default)s)"
    )
    add_json_option(parser)


def run(args) -> int:
    from ..datasets import split_names
    from ..datasets.pictures import draw_classes, draw_samples
    from ..figure_file import require_matplotlib
    from ..user_path import user_path

    if args.workers < 1 or args.samples < 1:
        raise UserError("--workers and --samples: give 1 or more")
    output = None
    if args.output:
        require_matplotlib("--output")
        output = user_path(args.output)
        if output.exists() and not output.is_dir():
            raise UserError(f"--output {output}: is a file; give a folder")
    splits = (args.split,) if args.split else split_names(args.dataset, args.root)
    reports, problems = {}, []
    for split in splits:
        try:
            report = _check(args.dataset, args.root, split, args.workers)
        except UserError as error:
            problems.append(str(error))
            continue
        reports[split] = report
        problems += report.problems
        if args.json != "-":
            _print(report)
    if output is not None and reports:
        draw_samples(list(reports.values()), args.samples, output / "samples.png")
        draw_classes(list(reports.values()), output / "classes.png")
        if args.json != "-":
            print(f"pictures in {output}")
    if args.json:
        data = {split: report.to_dict() for split, report in reports.items()}
        write_json(args.json, {"dataset": args.dataset, "problems": problems, "splits": data})
    for problem in problems[:_PROBLEMS_SHOWN]:
        print(f"shuffleseg check-data: {problem}", file=sys.stderr)
    if len(problems) > _PROBLEMS_SHOWN:
        more = len(problems) - _PROBLEMS_SHOWN
        print(f"shuffleseg check-data: and {more} more", file=sys.stderr)
    return 2 if problems else 0


def _check(name: str, root: str, split: str, workers: int):
    """The report of one split, whose images may lack masks here and there."""
    from tqdm import tqdm

    from ..datasets import open_dataset
    from ..datasets.check import check_split

    try:
        dataset = open_dataset(name, root, split)
    except UserError:
        dataset = open_dataset(name, root, split, need_labels=False)
        if not any(dataset.has_labels(index) for index in range(len(dataset))):
            raise
    return check_split(
        dataset,
        workers,
        lambda results: tqdm(
            results, dataset.name, len(dataset), unit="image", disable=None, leave=False
        ),
    )


def _print(report) -> None:
    names = report.dataset.label_map.names
    width = max(*map(len, names), len("unlabelled"))
    print(f"{report.dataset.name}: {len(report.dataset)} images, {_sizes(report.sizes)}")
    if not report.pixels.any():
        return  # no mask could be read, which the problems say
    print(f"  {'class':<{width}}    pixels   images")
    labelled = max(report.class_pixels.sum(), 1)
    for name, pixels, images in zip(names, report.class_pixels, report.class_images):
        print(f"  {name:<{width}}  {100 * pixels / labelled:6.2f} %  {images:7d}")
    print(f"  {'unlabelled':<{width}}  {100 * report.ignored_share:6.2f} %  of all pixels")
    if report.absent:
        print(f"  warning: no mask holds {', '.join(report.absent)}")
    if report.unlabelled:
        print(
            f"  warning: {len(report.unlabelled)} masks hold no class at all, "
            f"the first that of {report.unlabelled[0]}"
        )


def _sizes(sizes) -> str:
    if not sizes:
        return "none of them readable"
    (width, height), count = sizes.most_common(1)[0]
    if len(sizes) == 1:
        return f"{width}x{height}"
    widths, heights = [w for w, _ in sizes], [h for _, h in sizes]
    return (
        f"{len(sizes)} sizes, widths {min(widths)} to {max(widths)}, heights {min(heights)} to "
        f"{max(heights)}, most often {width}x{height} ({count})"
    )
