"""`shuffleseg benchmark-input`: images/s of decoding and augmentation alone."""

from shuffleseg_core.errors import UserError
from shuffleseg_core.json_output import add_json_option, write_json

from .recipe_options import add_recipe_option, add_set_option, add_workers_option

HELP = "measure how fast a recipe's images are decoded and augmented, without any training"


def add_arguments(parser):
    add_recipe_option(parser)
    parser.add_argument("--root", required=True, help="folder of the data set")
    parser.add_argument("--stage", metavar="NAME", help="the stage, where the recipe has several")
    add_set_option(parser)
    add_workers_option(parser)
    parser.add_argument(
        "--seconds", type=float, default=10, help="how long to measure (%(default)s)"
    )
    add_json_option(parser)


def run(args) -> int:
    from shuffleseg_core.benchmark.machine import machine
    from shuffleseg_core.datasets import open_dataset

    from .augmentation import Augmentation
    from .input_benchmark import benchmark_input
    from .recipe import load_recipe

    if args.workers < 1:
        raise UserError(f"--workers is {args.workers}; give 1 or more")
    if not 0 < args.seconds < float("inf"):
        raise UserError(f"--seconds is {args.seconds}; give more than 0")
    recipe = _stage(load_recipe(args.recipe, tuple(args.set)), args.stage)
    dataset = open_dataset(recipe.data.dataset, args.root, recipe.data.train_split)
    augmentation = Augmentation.of_recipe(recipe.augmentation)
    batch_size = recipe.optimization.batch_size
    rates = benchmark_input(dataset, augmentation, batch_size, args.workers, args.seconds)
    report = {
        **machine(),
        "recipe": recipe.title,
        "data": f"{dataset.name}, {len(dataset)} images",
        "crop": recipe.augmentation.crop,
        "batch_size": batch_size,
        "workers": args.workers,
        **rates,
    }
    if args.json != "-":
        _print(report)
    if args.json:
        write_json(args.json, report)
    return 0


def _stage(stages, name):
    """The stage of that name; the only one where no name is given."""
    if name is None and len(stages) == 1:
        return stages[0]
    for stage in stages:
        if stage.stage is not None and stage.stage == name:
            return stage
    names = ", ".join(stage.stage for stage in stages if stage.stage)
    raise UserError(
        f"recipe {stages[0].name}: give one of its stages by --stage: {names}"
        if names
        else f"recipe {stages[0].name} has no stages; leave out --stage"
    )


def _print(report: dict) -> None:
    parts = report["milliseconds"]
    for key, value in (
        ("machine", f"{report['cpu']}, {report['cores']} cores"),
        ("recipe", f"{report['recipe']}, crop {report['crop']}, batch {report['batch_size']}"),
        ("data", report["data"]),
        ("images/s", f"{report['images_per_second']:.1f}, --workers {report['workers']}"),
        ("per core", f"{report['images_per_second_per_core']:.1f} images/s of computing time"),
        (
            "an image",
            f"{parts['total']:.1f} ms: image {parts['decode_image']:.1f}, "
            f"labels {parts['decode_labels']:.1f}, augmentation {parts['augment']:.1f}",
        ),
    ):
        print(f"{key:>9}: {value}")
