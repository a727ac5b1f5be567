"""`shuffleseg compare-labels`: how many pixels two models label alike."""

from ..errors import UserError
from ..json_output import add_json_option, write_json

HELP = "count the pixels that two models label alike, as before and after export"


def add_arguments(parser):
    parser.add_argument(
        "models",
        nargs=2,
        metavar="MODEL",
        help="shipped model, .tflite file, or run folder of a training",
    )
    parser.add_argument("--dataset", default="camvid", help="data set layout (%(default)s)")
    parser.add_argument("--root", required=True, metavar="DIR", help="folder of the data set")
    parser.add_argument("--split", required=True, metavar="NAME", help="split: train, val …")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of a .tflite (2)")
    parser.add_argument(
        "--at-least",
        type=float,
        metavar="PERCENT",
        help="fail (exit status 2) where fewer pixels are alike, as 99.99",
    )
    add_json_option(parser)


def run(args) -> int:
    import numpy as np
    from tqdm import tqdm

    from ..datasets import open_dataset
    from ..evaluation.predictor import open_predictor

    if args.at_least is not None and not 0 <= args.at_least <= 100:
        raise UserError(f"--at-least {args.at_least}: give 0 to 100")
    dataset = open_dataset(args.dataset, args.root, args.split, need_labels=False)
    one, other = (open_predictor(model, num_threads=args.threads) for model in args.models)
    if one.num_classes != other.num_classes or (
        one.class_names and other.class_names and one.class_names != other.class_names
    ):
        raise UserError(f"{one.source} and {other.source} have different classes")
    alike = np.empty(len(dataset), np.int64)
    pixels = np.empty(len(dataset), np.int64)
    for index in tqdm(range(len(dataset)), unit="frame", disable=None, leave=False):
        image = dataset.read_image(index)
        same = one.predict(image) == other.predict(image)
        alike[index], pixels[index] = np.count_nonzero(same), same.size
    shares = alike / pixels
    worst = int(shares.argmin())
    report = {
        "alike": float(alike.sum() / pixels.sum()),
        "pixels": int(pixels.sum()),
        "frames": len(dataset),
        "worst_frame": {"name": dataset.sample_name(worst), "alike": float(shares[worst])},
        "models": args.models,
        "dataset": args.dataset,
        "split": args.split,
    }
    if args.json != "-":
        print(
            f"{100 * report['alike']:.4f} % of {report['pixels']:,} pixels in "
            f"{len(dataset)} frames are labelled alike; fewest in "
            f"{dataset.sample_name(worst)}: {100 * shares[worst]:.4f} %"
        )
    if args.json:
        write_json(args.json, report)
    if args.at_least is not None and 100 * report["alike"] < args.at_least:
        raise UserError(
            f"{100 * report['alike']:.4f} % of the pixels are labelled alike; wanted are "
            f"{args.at_least} %"
        )
    return 0
