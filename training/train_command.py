"""`shuffleseg train`: run a recipe."""

from .recipe_options import (
    add_recipe_option,
    add_set_option,
    add_start_options,
    add_workers_option,
    check_start_options,
)

HELP = "train a network by a recipe; run it again to go on after an interruption"


def add_arguments(parser):
    add_recipe_option(parser)
    parser.add_argument(
        "--root",
        default=[],
        action="append",
        metavar="[NAME=]DIR",
        help="folder of the data set (procedural_street needs none); where stages use several, "
        "give each: --root coco=DIR --root cityscapes=DIR",
    )
    parser.add_argument("--output", required=True, help="run folder: checkpoint, weights, curves")
    parser.add_argument("--stage", metavar="NAME", help="run this stage of the recipe alone")
    add_start_options(parser)
    add_set_option(parser)
    parser.add_argument(
        "--checkpoint-steps", type=int, default=100, help="steps between checkpoints (%(default)s)"
    )
    parser.add_argument(
        "--val-epochs", type=int, default=5, help="epochs between validations (%(default)s)"
    )
    add_workers_option(parser)
    parser.add_argument(
        "--hosts",
        metavar="ADDRESS:PORT,…",
        help="the processes that train together, the first one coordinates; start the same "
        "command on each, with its --host-index",
    )
    parser.add_argument("--host-index", type=int, metavar="N", help="which of --hosts this is")


def run(args) -> int:
    from shuffleseg_core.errors import needs_extra
    from shuffleseg_core.keras_backend import choose_keras_backend

    from .cluster import Cluster
    from .recipe import load_recipe

    choose_keras_backend()
    check_start_options(args)
    stages = load_recipe(args.recipe, tuple(args.set))
    cluster = Cluster.parse(args.hosts, args.host_index)
    try:
        from .chain import train_stages
        from .training_loop import TrainingOptions
    except (ImportError, ValueError) as error:  # ValueError: Keras knows no such backend
        what = "training needs Keras, a backend (TensorFlow or JAX) and matplotlib"
        raise needs_extra(what, error) from error

    options = TrainingOptions(args.checkpoint_steps, args.val_epochs, args.workers)
    folder = train_stages(
        stages,
        args.root,
        args.output,
        only=args.stage,
        start=args.start,
        backbone_only=args.backbone_only,
        cluster=cluster,
        options=options,
    )
    if cluster is None or cluster.index == 0:
        print(f"trained weights: {folder.weights}")
        print(f"next: shuffleseg export {folder.path} --output model.tflite")
    return 0
