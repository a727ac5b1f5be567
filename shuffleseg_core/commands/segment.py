"""`shuffleseg segment`: images, folders, videos and recordings → label images."""

import contextlib
import queue
import sys
from pathlib import Path

from ..errors import UserError

HELP = "label images, folders of images, videos and rosbags"


def add_arguments(parser):
    parser.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="image, folder, video or rosbag2"
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--topic", help="the images to take of a bag that has several")
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help=".tflite file, or the name of a shipped model (the default one)",
    )
    parser.add_argument(
        "--overlay", action="store_true", help="also write <stem>_overlay.png: colours over image"
    )
    parser.add_argument(
        "--threads", type=int, help="CPU threads of one frame (2; with several workers 1)"
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="frames labelled at once, each by a model of its own (%(default)s): with as many as "
        "there are cores and one thread each, more frames a second than one after another",
    )


def run(args) -> int:
    from tqdm import tqdm

    from ..colorize import overlay
    from ..frame_source import open_frames
    from ..image_file import write_png
    from ..prefetch import prefetched
    from ..segmenter import MAX_THREADS, Segmenter
    from ..user_path import user_path

    if not 1 <= args.workers <= MAX_THREADS:
        raise UserError(f"--workers is {args.workers}; give 1 to {MAX_THREADS}")
    sources = [
        (path, open_frames(path, with_truth=False, topic=args.topic)) for path in args.inputs
    ]
    if args.topic and not any(hasattr(source, "topic") for _, source in sources):
        raise UserError("--topic is for rosbags, and none of the inputs is one")
    output = user_path(args.output)
    if output.exists() and not output.is_dir():
        raise UserError(f"--output {output}: is a file; give a folder")
    targets = _Targets(output, args.overlay)
    for path, source in sources:
        if prefix := _prefix(source):
            targets.prefix(path, prefix)
        else:
            for file in source.files:
                targets.add(file)
    targets.check_inputs()
    threads = args.threads
    if threads is None:
        threads = 2 if args.workers == 1 else 1
    idle = queue.SimpleQueue()
    for _ in range(args.workers):
        idle.put(Segmenter(args.model, threads))

    def label(named):
        """Write a frame's results; hands the frame on."""
        prefix, frame = named
        if frame.image is None:
            return frame
        segmenter = idle.get()
        try:
            labels = segmenter.segment(frame.image)
        finally:
            idle.put(segmenter)
        write_png(output / f"{prefix}{frame.name}.png", labels)
        if args.overlay:
            picture = overlay(frame.image, labels, segmenter.label_map)
            write_png(output / f"{prefix}{frame.name}_overlay.png", picture)
        return frame

    done = 0
    unreadable = 0
    with tqdm(
        total=sum(len(source) for _, source in sources),
        unit="frame",
        disable=None,  # only on a terminal
    ) as bar:
        frames = prefetched(label, _frames(sources), args.workers)
        with contextlib.closing(frames):
            for frame in frames:
                bar.update()
                if frame.image is None:
                    unreadable += 1
                    tqdm.write(f"shuffleseg segment: {frame.error}", file=sys.stderr)
                else:
                    done += 1
    print(f"{done} label images in {output}")
    if unreadable:
        raise UserError(f"{unreadable} frames could not be read; the others are done")
    return 0


def _frames(sources):
    """(prefix of its results' names, frame) of all sources, in order."""
    for _, source in sources:
        prefix = _prefix(source)
        for frame in source:
            yield prefix, frame


def _prefix(source) -> str:
    """What the names of its results begin with: frames of a video or a recording have numbers for
    names, which its own tells apart from others'."""
    from ..frame_source import ImageFile, ImageFolder

    if isinstance(source, (ImageFile, ImageFolder)):
        return ""
    return f"{source.path.name if source.path.is_dir() else source.path.stem}_"


class _Targets:
    """The files that will be written, checked before the first is.

    Args:
        output: folder for them.
        overlay: whether each frame also gets an overlay.
    """

    def __init__(self, output: Path, overlay: bool):
        self._output = output
        self._suffixes = ("", "_overlay") if overlay else ("",)
        self._inputs: list[Path] = []
        self._by_name: dict[str, str] = {}
        self._prefixes: dict[str, str] = {}

    def add(self, file: Path) -> None:
        """An image. Raises UserError where another image's results have the same name."""
        self._inputs.append(file)
        for suffix in self._suffixes:
            name = f"{file.stem}{suffix}.png"
            other = self._by_name.setdefault(name, str(file))
            if other != str(file):
                raise UserError(
                    f"{file}: its result {name} would overwrite that of {other}; "
                    "give inputs of equal names different --output folders"
                )

    def check_inputs(self) -> None:
        """Raises UserError where a result would replace one of the inputs."""
        results = {(self._output / name).resolve() for name in self._by_name}
        for file in self._inputs:
            if file.resolve() in results:
                raise UserError(f"{file}: would be overwritten; give another --output folder")

    def prefix(self, path: str, prefix: str) -> None:
        """A video or recording. Raises UserError where another one has the same name."""
        other = self._prefixes.setdefault(prefix, path)
        if other != path:
            raise UserError(
                f"{path}: its results would overwrite those of {other}; "
                "give inputs of equal names different --output folders"
            )
