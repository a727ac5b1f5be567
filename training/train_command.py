"""`shuffleseg train`: run a recipe."""

HELP = "train a network by a recipe; run it again to go on after an interruption"


def add_arguments(parser):
    parser.add_argument("recipe", help="name of a shipped recipe (camvid_basic), or a .yaml file")
    parser.add_argument("--root", required=True, help="folder of the data set")
    parser.add_argument("--output", required=True, help="run folder: checkpoint, weights, curves")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="change a value of the recipe, as optimization.epochs=2; may be given again",
    )
    parser.add_argument(
        "--checkpoint-steps", type=int, default=100, help="steps between checkpoints (%(default)s)"
    )
    parser.add_argument(
        "--val-epochs", type=int, default=5, help="epochs between validations (%(default)s)"
    )
    parser.add_argument(
        "--workers", type=int, default=1, help="threads that read images (%(default)s)"
    )


def run(args) -> int:
    from shuffleseg_core.errors import UserError

    from .recipe import load_recipe

    recipe = load_recipe(args.recipe, tuple(args.set))
    try:
        from .trainer import train
    except ImportError as error:
        raise UserError(
            f"training needs Keras, TensorFlow and matplotlib ({error}); "
            "in the checkout, run `make setup-dev` or `pip install '.[train]'`"
        ) from error

    folder = train(
        recipe, args.root, args.output, args.checkpoint_steps, args.val_epochs, args.workers
    )
    print(f"trained weights: {folder.weights}")
    print(f"next: shuffleseg export {folder.path} --output model.tflite")
    return 0
