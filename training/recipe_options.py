"""Options that several commands have in common."""

from __future__ import annotations


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
