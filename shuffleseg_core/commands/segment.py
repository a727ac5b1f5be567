"""`shuffleseg segment`: images, folders and videos → label images."""

import sys
from pathlib import Path

from ..errors import UserError

HELP = "label images, folders of images and videos"


def add_arguments(parser):
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="image, folder or video")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--model", metavar="FILE.tflite", help="model (the one that ships)")
    parser.add_argument(
        "--overlay", action="store_true", help="also write <stem>_overlay.png: colours over image"
    )
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (%(default)s)")


def run(args) -> int:
    from tqdm import tqdm

    from ..colorize import overlay
    from ..frame_source import VideoFile, open_frames
    from ..image_file import write_png
    from ..segmenter import Segmenter

    sources = [(path, open_frames(path)) for path in args.inputs]
    segmenter = Segmenter(args.model, args.threads)
    output = Path(args.output)
    unreadable = []
    written = {}
    with tqdm(
        total=sum(len(source) for _, source in sources),
        unit="frame",
        disable=None,  # only on a terminal
    ) as bar:
        for path, source in sources:
            # Frames of a video have numbers for names: its own name tells them apart.
            prefix = f"{Path(path).stem}_" if isinstance(source, VideoFile) else ""
            for frame in source:
                bar.update()
                if frame.image is None:
                    unreadable.append(frame)
                    tqdm.write(f"shuffleseg segment: {frame.error}", file=sys.stderr)
                    continue
                stem = prefix + frame.name
                if stem in written:
                    raise UserError(
                        f"{path}: its frame {stem!r} would overwrite that of {written[stem]}; "
                        "give inputs of equal names different --output folders"
                    )
                written[stem] = path
                labels = segmenter.segment(frame.image)
                write_png(output / f"{stem}.png", labels)
                if args.overlay:
                    picture = overlay(frame.image, labels, segmenter.label_map)
                    write_png(output / f"{stem}_overlay.png", picture)
    print(f"{len(written)} label images in {output}")
    if unreadable:
        raise UserError(f"{len(unreadable)} of the frames could not be read; the others are done")
    return 0
