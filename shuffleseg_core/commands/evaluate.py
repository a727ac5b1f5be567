"""`shuffleseg evaluate`: a model's scores on a labelled data set."""

from ..json_output import add_json_option, write_json

HELP = "score a .tflite on a labelled data set (class IoU and mIoU)"


def add_arguments(parser):
    parser.add_argument("model", metavar="MODEL", help=".tflite file")
    parser.add_argument("--dataset", default="camvid", help="data set layout (%(default)s)")
    parser.add_argument("--root", required=True, metavar="DIR", help="folder of the data set")
    parser.add_argument("--split", required=True, metavar="NAME", help="split: train, val …")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (%(default)s)")
    add_json_option(parser)


def run(args) -> int:
    from tqdm import tqdm

    from ..datasets import open_dataset
    from ..errors import UserError
    from ..metrics import ConfusionMatrix
    from ..segmenter import Segmenter

    segmenter = Segmenter(args.model, args.threads)
    dataset = open_dataset(args.dataset, args.root, args.split)
    names = dataset.label_map.names
    if segmenter.description and segmenter.label_map.names != names:
        raise UserError(
            f"model {args.model}: its classes ({', '.join(segmenter.label_map.names)}) are not "
            f"those of {args.dataset} ({', '.join(names)})"
        )
    if len(segmenter.label_map) != len(names):
        raise UserError(
            f"model {args.model}: {len(segmenter.label_map)} classes, but {args.dataset} has "
            f"{len(names)}"
        )
    matrix = ConfusionMatrix(len(names), dataset.label_map.ignore_id)
    for index in tqdm(range(len(dataset)), unit="frame", disable=None, leave=False):
        image, truth = dataset.read(index)
        matrix.update(truth, segmenter.segment(image))
    iou = dict(zip(names, (float(value) for value in matrix.iou())))
    report = {
        "miou": matrix.miou(),
        "iou": iou,
        "pixel_accuracy": matrix.pixel_accuracy(),
        "frames": len(dataset),
        "model": str(args.model),
        "dataset": args.dataset,
        "split": args.split,
    }
    if args.json != "-":
        for name, value in iou.items():
            print(f"{name:>12} {100 * value:6.2f} %")
        print(f"{'mIoU':>12} {100 * matrix.miou():6.2f} %   over {len(dataset)} frames")
    if args.json:
        write_json(args.json, report)
    return 0
