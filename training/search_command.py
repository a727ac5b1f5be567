"""`shuffleseg search`: train the variants of a recipe and compare them."""

import subprocess
import sys
from pathlib import Path

from shuffleseg_core.errors import UserError

HELP = "train variants of a recipe on several folds, and tabulate their scores"


def add_arguments(parser):
    parser.add_argument("search", help="name of a shipped search (camvid), or a .yaml file")
    parser.add_argument("--root", required=True, metavar="DIR", help="folder of the data set")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="run folders, table.md and table.json"
    )
    parser.add_argument(
        "--only", action="append", metavar="VARIANT", help="this variant; may be given again"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="change a value in every trial, as optimization.epochs=2; may be given again",
    )
    parser.add_argument(
        "--workers", type=int, default=1, help="threads that read images (%(default)s)"
    )


def run(args) -> int:
    from shuffleseg_core.user_path import user_path

    from .run_folder import RunFolder
    from .search import load_search
    from .search_table import REPORT, write_table

    search = load_search(args.search, tuple(args.set))
    for name in args.only or ():
        if name not in search.variants:
            raise UserError(f"--only {name}: variants are {', '.join(search.variants)}")
    trials = [t for t in search.trials if not args.only or t.variant in args.only]
    output = user_path(args.output)
    for number, trial in enumerate(trials, 1):
        folder = output / trial.folder
        if not RunFolder(folder).weights.exists():
            print(f"trial {number} of {len(trials)}: {trial.folder}", flush=True)
            changes = [word for change in trial.overrides for word in ("--set", change)]
            # A process of its own, which gives all its memory back.
            _shuffleseg(
                "train", search.recipe, "--root", args.root, "--output", folder, *changes,
                "--workers", args.workers, "--val-epochs", 10**6,
            )  # fmt: skip
        if search.report and not (folder / REPORT).exists():
            _report(trial, search.report, args.root, folder, REPORT)
        write_table(search, output)
    print((output / "table.md").read_text(encoding="utf-8"), end="")
    print(f"tables: {output / 'table.md'}, {output / 'table.json'}")
    return 0


def _report(trial, splits, root: str, folder: Path, name: str) -> None:
    """Score a run on further splits, and keep that in its folder."""
    import json

    from shuffleseg_core.json_output import write_json

    scores = {}
    for split in splits:
        path = folder / "reported_split.json"
        _shuffleseg(
            "evaluate", folder, "--dataset", trial.recipe.data.dataset, "--root", root,
            "--split", split, "--json", path,
        )  # fmt: skip
        scores[split] = json.loads(path.read_text(encoding="utf-8"))["miou"]
        path.unlink()
    write_json(str(folder / name), scores)


def _shuffleseg(*arguments) -> None:
    """Run a command. Raises UserError where it fails; it has said why."""
    command = [sys.executable, "-m", "shuffleseg_core.cli", *map(str, arguments)]
    process = subprocess.Popen(command)
    try:
        status = process.wait()
    except KeyboardInterrupt:  # it got the same Ctrl-C, and saves what it has
        process.wait()
        raise
    if status:
        raise UserError(
            f"`shuffleseg {arguments[0]}` ended with status {status}; mend what it said, and run "
            "the same search to go on"
        )
