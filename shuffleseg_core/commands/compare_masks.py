"""`shuffleseg compare-masks`: several models' masks side by side, as figure 6 of the paper."""

import math

from ..errors import UserError
from .named_path import parse_named_path

HELP = "draw images, their truth and the masks of several models into one picture"


def add_arguments(parser):
    parser.add_argument(
        "--model",
        action="append",
        required=True,
        dest="models",
        metavar="[NAME=]MODEL",
        help="shipped model, .tflite file or run folder of a training, with a name for its "
        "column; may be given again",
    )
    parser.add_argument("--dataset", default="camvid", help="data set layout (%(default)s)")
    parser.add_argument("--root", required=True, metavar="DIR", help="folder of the data set")
    parser.add_argument("--split", required=True, metavar="NAME", help="split: train, val …")
    parser.add_argument(
        "--frames", metavar="A,B,…", help="names of the frames (four, evenly spread)"
    )
    parser.add_argument(
        "--worst",
        type=int,
        metavar="N",
        help="the N frames of which the first model labels the fewest pixels rightly",
    )
    parser.add_argument("--output", required=True, metavar="FILE.png", help="file to write")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of a .tflite (2)")


def run(args) -> int:
    from tqdm import tqdm

    from ..datasets import open_dataset
    from ..evaluation.predictor import check_classes, open_predictor
    from ..figure_file import check_png_name
    from ..mask_comparison import ComparedFrame, draw_comparison

    output = check_png_name("--output", args.output)
    if args.worst is not None and args.frames:
        raise UserError("give either --worst or --frames")
    if args.worst is not None and args.worst < 1:
        raise UserError(f"--worst {args.worst}: give 1 or more")
    dataset = open_dataset(args.dataset, args.root, args.split)
    indices = _chosen(dataset, args.frames)
    names, predictors = [], []
    for text in args.models:
        name, path = parse_named_path(text)
        names.append(name)
        predictors.append(open_predictor(path, num_threads=args.threads))
        check_classes(predictors[-1], dataset)
    if args.worst:
        indices = _worst(dataset, predictors[0], args.worst)
    frames = []
    for index in tqdm(indices, unit="frame", disable=None, leave=False):
        image, truth = dataset.read(index)
        masks = [predictor.predict(image) for predictor in predictors]
        frames.append(ComparedFrame(dataset.sample_name(index), image, truth, masks))
    draw_comparison(frames, names, dataset.label_map, output)
    print(f"{output}: {len(frames)} frames, {len(names)} models")
    return 0


def _chosen(dataset, text: str | None) -> list[int]:
    """Indices of the frames named in "a,b,c"; four evenly spread ones where none are."""
    if text is None:
        last, number = len(dataset) - 1, min(len(dataset), 4)
        return [round(i * last / max(number - 1, 1)) for i in range(number)]
    index_of_name = {dataset.sample_name(index): index for index in range(len(dataset))}
    chosen = []
    for name in (part.strip() for part in text.split(",")):
        if name not in index_of_name:
            raise UserError(
                f"--frames: {dataset.name} has no frame {name!r}; "
                f"its first is {next(iter(index_of_name))}"
            )
        chosen.append(index_of_name[name])
    return chosen


def _worst(dataset, predictor, number: int) -> list[int]:
    """Indices of the frames with the smallest shares of right pixels, the worst one first."""
    from tqdm import tqdm

    from ..metrics import ConfusionMatrix

    label_map = dataset.label_map
    accuracy = []
    for index in tqdm(range(len(dataset)), unit="frame", disable=None, leave=False):
        image, truth = dataset.read(index)
        matrix = ConfusionMatrix(len(label_map), label_map.ignore_id)
        matrix.update(truth, predictor.predict(image))
        share = matrix.pixel_accuracy()
        accuracy.append(1.0 if math.isnan(share) else share)  # nothing labelled, nothing wrong
    return sorted(range(len(dataset)), key=accuracy.__getitem__)[:number]
