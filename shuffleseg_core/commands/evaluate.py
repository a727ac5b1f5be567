"""`shuffleseg evaluate`: the scores of a model, or of a folder of predictions, on a data set."""

from ..errors import UserError
from ..json_output import add_json_option, write_json
from .robustness_options import RobustnessOptions, add_robustness_options, robustness_tables

HELP = "score a model on a labelled data set, for Cityscapes as its benchmark does"


def add_arguments(parser):
    parser.add_argument(
        "model",
        nargs="?",
        metavar="MODEL",
        help="shipped model, .tflite file, or run folder of a training",
    )
    parser.add_argument(
        "--predictions",
        metavar="DIR",
        help="instead of a model: folder of PNGs (Cityscapes: label ids in "
        "CITY_SEQUENCE_FRAME*.png; else class ids in the images' names)",
    )
    parser.add_argument("--dataset", default="camvid", help="data set layout (%(default)s)")
    parser.add_argument("--root", required=True, metavar="DIR", help="folder of the data set")
    parser.add_argument("--split", required=True, metavar="NAME", help="split: train, val …")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="only every Nth frame (%(default)s)"
    )
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of a .tflite (2)")
    parser.add_argument("--flip", action="store_true", help="also label the mirrored image")
    keras = parser.add_argument_group("for run folders")
    keras.add_argument(
        "--scales",
        default="1",
        metavar="S,S,…",
        help="label the image at these scales and average, as 0.75,1,1.25",
    )
    keras.add_argument(
        "--size", metavar="WIDTHxHEIGHT", help="input size in pixels (the image's own)"
    )
    keras.add_argument(
        "--weights", metavar="FILE", help="other weights of the same network, as a checkpoint's"
    )
    add_robustness_options(parser)
    add_json_option(parser)
    parser.add_argument(
        "--confusion", metavar="FILE.png", help="draw the confusion matrix into this file"
    )
    parser.add_argument(
        "--submission",
        metavar="DIR",
        help="write label ids for the Cityscapes server; without labels (split test), only that",
    )


def run(args) -> int:
    from tqdm import tqdm

    from ..datasets import open_dataset
    from ..evaluation.confusion_picture import draw_confusion
    from ..evaluation.score_table import score_table
    from ..evaluation.scores import scores_of
    from ..evaluation.submission import Submission
    from ..figure_file import check_png_name
    from ..user_path import user_path

    _check_arguments(args)
    confusion = check_png_name("--confusion", args.confusion) if args.confusion else None
    robustness = RobustnessOptions.from_arguments(args)
    predictor = None if args.predictions else _open_model(args)
    dataset = open_dataset(args.dataset, args.root, args.split, need_labels=args.submission is None)
    read_prediction = _predictions(args, predictor, dataset)
    submission = Submission(args.submission, dataset) if args.submission else None
    frames = range(0, len(dataset), args.every)
    scores = scores_of(dataset) if all(map(dataset.has_labels, frames)) else None
    if scores is None:
        _check_no_scores_needed(args, dataset)
    steps = len(frames) + robustness.num_steps(len(frames))
    with tqdm(total=steps, unit="frame", disable=None, leave=False) as bar:
        for index in frames:
            prediction = read_prediction(index)
            if submission:
                submission.write(index, prediction)
            if scores:
                scores.add(dataset, index, prediction)
            bar.update()
        found = {}
        if robustness:
            miou = scores.report()["miou"]
            found = robustness.measure(predictor, dataset, frames, miou, bar.update)
    if submission and args.json != "-":
        print(f"{len(dataset)} label images in {args.submission}")
    if scores is None:
        print(f"no scores: {dataset.name} has no labels")
        return 0
    report = {
        **scores.report(),
        "frames": len(frames),
        "every": args.every,
        "model": str(args.model or args.predictions),
        "dataset": args.dataset,
        "split": args.split,
        "scales": list(_scales(args.scales)),
        "flip": args.flip,
        **found,
    }
    if args.json != "-":
        print("\n\n".join([score_table(report, len(frames)), *robustness_tables(report)]))
    if confusion:
        title = f"{dataset.name}: {user_path(report['model']).name}, mIoU {report['miou']:.1%}"
        draw_confusion(scores.counts, scores.names, title, confusion)
    if args.json:
        write_json(args.json, report)
    return 0


def _check_arguments(args) -> None:
    if bool(args.model) == bool(args.predictions):
        raise UserError("give either a MODEL or --predictions")
    if args.every < 1:
        raise UserError(f"--every {args.every}: give 1 or more")
    if args.submission and args.every > 1:
        raise UserError("--submission needs all frames, so no --every")
    if not args.predictions:
        return
    for option, given in (
        ("--flip", args.flip),
        ("--scales", args.scales != "1"),
        ("--size", args.size),
        ("--weights", args.weights),
        ("--submission", args.submission),
        ("--corruptions", args.corruptions is not None),
        ("--stability", args.stability),
    ):
        if given:
            raise UserError(f"{option} needs a MODEL, not --predictions")


def _check_no_scores_needed(args, dataset) -> None:
    for option, given in (
        ("--json", args.json),
        ("--confusion", args.confusion),
        ("--corruptions", args.corruptions is not None),
        ("--stability", args.stability),
    ):
        if given:
            raise UserError(f"{dataset.name} has no labels, so no scores for {option}")


def _open_model(args):
    from ..evaluation.predictor import open_predictor
    from ..size import parse_size

    return open_predictor(
        args.model,
        weights=args.weights,
        size=parse_size(args.size) if args.size else None,
        scales=_scales(args.scales),
        flip=args.flip,
        num_threads=args.threads,
    )


def _predictions(args, predictor, dataset):
    """index → uint8 [H, W] ids as prediction files of the data set hold them."""
    from ..evaluation.file_ids import to_file_ids
    from ..evaluation.label_folder import LabelFolder
    from ..evaluation.predictor import check_classes

    if predictor is None:
        return LabelFolder(args.predictions, dataset).read
    check_classes(predictor, dataset)
    return lambda index: to_file_ids(dataset, predictor.predict(dataset.read_image(index)))


def _scales(text: str) -> tuple[float, ...]:
    """ "0.75,1" → (0.75, 1.0)."""
    try:
        scales = tuple(float(part) for part in text.split(","))
    except ValueError:
        scales = ()
    if not scales or len(set(scales)) < len(scales) or not all(0.1 <= s <= 4 for s in scales):
        raise UserError(f"--scales {text}: give different numbers of 0.1 to 4, as 0.75,1,1.25")
    return scales
