"""Options that several commands have in common."""

from __future__ import annotations

from shuffleseg_core.errors import UserError


def add_recipe_option(parser) -> None:
    parser.add_argument("recipe", help="name of a shipped recipe (camvid_basic), or a .yaml file")


def add_set_option(parser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="[STAGE.]SECTION.KEY=VALUE",
        help="change a value of the recipe, as optimization.epochs=2; may be given again",
    )


def add_workers_option(parser) -> None:
    parser.add_argument(
        "--workers", type=int, default=1, help="threads that read images (%(default)s)"
    )


def add_start_options(parser) -> None:
    """Weights to begin with."""
    parser.add_argument(
        "--start",
        metavar="FILE",
        help="weights to begin with: a run folder, a TensorFlow 1 checkpoint, a PyTorch state dict "
        "or NanoDet-m's .bin (docs/starting_weights.md)",
    )
    parser.add_argument(
        "--backbone-only",
        action="store_true",
        help="take of --start the backbone alone, for a network with another head",
    )


def check_start_options(args) -> None:
    """Raises UserError where they do not fit together."""
    if args.backbone_only and args.start is None:
        raise UserError("--backbone-only needs --start, which says whose backbone")
