"""`shuffleseg draw-drive`: the procedural street as labelled images in CamVid's layout."""

import os
import re

from ..errors import UserError

HELP = "write the procedural street as labelled images, to score or to train on"


def add_arguments(parser):
    parser.add_argument("--output", required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--split", default="test", help="split in it (%(default)s)")
    parser.add_argument(
        "--seeds",
        default="0-9",
        metavar="N-M",
        help="the drives (%(default)s); shipped models have trained on those from 1000 on",
    )
    parser.add_argument(
        "--frames", type=int, default=30, help="of each drive, evenly spread (%(default)s)"
    )
    parser.add_argument(
        "--size", default="480x360", metavar="WIDTHxHEIGHT", help="of the images (%(default)s)"
    )


def run(args) -> int:
    from tqdm import tqdm

    from ..image_file import write_png
    from ..size import parse_size
    from ..synthetic_dataset import DRIVE_FRAMES, SyntheticDataset
    from ..user_path import user_path

    seeds = _seeds(args.seeds)
    if not 1 <= args.frames <= DRIVE_FRAMES:
        raise UserError(f"--frames is {args.frames}; give 1 to {DRIVE_FRAMES}")
    if not re.fullmatch(r"\w[\w.-]*", args.split):
        raise UserError(f"--split {args.split}: give letters, digits, '.', '_' and '-'")
    if not args.output:
        raise UserError("--output is empty; give a folder")
    size = parse_size(args.size)
    folder = user_path(args.output) / args.split
    images, labels = folder / "images", folder / "labels"
    try:
        if folder.exists() and not (folder.is_dir() and not os.listdir(folder)):
            raise UserError(f"{folder}: is there already; give another --output or --split")
        for path in (images, labels):
            path.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}") from error
    with tqdm(total=len(seeds) * args.frames, unit="frame", disable=None, leave=False) as bar:
        for seed in seeds:
            drive = SyntheticDataset(size, 1, args.frames, seed)  # which keeps its frames
            for number in range(args.frames):
                try:
                    image, ids = drive.read(number)
                except ValueError as error:
                    raise UserError(str(error)) from error
                name = f"{seed:04d}_{number:03d}.png"
                write_png(images / name, image)
                write_png(labels / name, ids)
                bar.update()
    print(f"{folder}: {len(seeds) * args.frames} images of {len(seeds)} drives, with labels")
    print(f"next: shuffleseg evaluate MODEL --root {args.output} --split {args.split}")
    return 0


def _seeds(text: str) -> range:
    """ "0-9" or "7"."""
    match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", text)
    if match is None or (match[2] is not None and int(match[2]) < int(match[1])):
        raise UserError(f"--seeds {text}: give a number or a range, as 0-9")
    return range(int(match[1]), int(match[2] or match[1]) + 1)
