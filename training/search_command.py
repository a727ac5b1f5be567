"""`shuffleseg search`: train the variants of a recipe and compare them."""

import sys
from pathlib import Path

from shuffleseg_core.errors import UserError

from .child_command import ChildFailed, run_shuffleseg
from .recipe_options import (
    add_set_option,
    add_start_options,
    add_workers_option,
    check_start_options,
)

_START = "start.json"  # in the search's folder
HELP = "train variants of a recipe on several folds, and tabulate their scores"


def add_arguments(parser):
    parser.add_argument(
        "search",
        help="name of a shipped search (camvid, camvid_peers), or a .yaml file",
    )
    parser.add_argument("--root", required=True, metavar="DIR", help="folder of the data set")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="run folders, table.md and table.json"
    )
    parser.add_argument(
        "--only", action="append", metavar="VARIANT", help="this variant; may be given again"
    )
    parser.add_argument(
        "--fold", action="append", metavar="FOLD", help="on this fold; may be given again"
    )
    parser.add_argument(
        "--seed", action="append", type=int, metavar="N", help="with this seed; may be given again"
    )
    add_start_options(parser)
    add_set_option(parser)
    add_workers_option(parser)


def run(args) -> int:
    from shuffleseg_core.user_path import user_path

    from .kept_recipe import check_kept_recipe
    from .run_folder import RunFolder
    from .search import load_search
    from .search_table import write_table

    check_start_options(args)
    search = load_search(args.search, tuple(args.set))
    trials = search.trials
    for option, wanted, name in (
        ("--only", args.only, "variant"),
        ("--fold", args.fold, "fold"),
        ("--seed", args.seed, "seed"),
    ):
        known = list(dict.fromkeys(getattr(trial, name) for trial in search.trials))
        for value in wanted or ():
            if value not in known:
                raise UserError(f"{option} {value}: {name}s are {', '.join(map(str, known))}")
        trials = [trial for trial in trials if not wanted or getattr(trial, name) in wanted]
    output = user_path(args.output)
    _check_data(search, args.root)
    for trial in search.trials:
        check_kept_recipe(RunFolder(output / trial.folder), trial.recipe)
    _check_start(args, output)
    start = [] if args.start is None else ["--start", args.start]
    start += ["--backbone-only"] if args.backbone_only else []
    failed = []
    for number, trial in enumerate(trials, 1):
        folder = output / trial.folder
        try:
            if not RunFolder(folder).weights.exists():
                print(f"trial {number} of {len(trials)}: {trial.folder}", flush=True)
                changes = [word for change in trial.overrides for word in ("--set", change)]
                # A process of its own, which gives all its memory back.
                run_shuffleseg(
                    "train", search.recipe, "--root", args.root, "--output", folder, *changes,
                    "--workers", args.workers, "--val-epochs", 10**6, *start,
                )  # fmt: skip
            _report(trial, search.report, args.root, folder)
        except ChildFailed as error:  # the others may well train
            failed.append(str(trial.folder))
            print(f"shuffleseg search: {trial.folder}: {error}", file=sys.stderr, flush=True)
        if folder.is_dir():
            write_table(search, output)
    if (output / "table.md").exists():
        print((output / "table.md").read_text(encoding="utf-8"), end="")
        print(f"tables: {output / 'table.md'}, {output / 'table.json'}")
    if failed:
        raise UserError(
            f"{len(failed)} of {len(trials)} trials failed: {', '.join(failed)}; mend what they "
            "said above, and run the same search to go on"
        )
    return 0


def _check_data(search, root: str) -> None:
    """Find now, not hours later, that a trial's splits cannot be had."""
    from shuffleseg_core.datasets import open_dataset

    opened = {}
    for trial in search.trials:
        data = trial.recipe.data
        for split in (data.train_split, data.val_split, *search.report):
            key = data.dataset, split
            if key not in opened:
                opened[key] = open_dataset(data.dataset, root, split).label_map
        data.paste_ids(opened[key])


def _check_start(args, output: Path) -> None:
    """All trials of a folder begin with the same weights, which no recipe names."""
    import json

    from shuffleseg_core.json_output import write_json
    from shuffleseg_core.user_path import user_path

    path = None if args.start is None else user_path(args.start)
    given = {"start": None if path is None else str(path.resolve()),
             "backbone_only": args.backbone_only}  # fmt: skip
    kept_path = output / _START
    if not kept_path.exists():
        # The name of a TensorFlow 1 checkpoint is what its files begin with.
        if path and not (path.exists() or any(path.parent.glob(path.name + ".*"))):
            raise UserError(f"--start {path}: no such file or folder")
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{output}: cannot be written: {error.strerror}") from error
        write_json(str(kept_path), given)
        return
    try:
        kept = json.loads(kept_path.read_text(encoding="utf-8"))
    except ValueError:
        kept = None
    if kept != given:
        raise UserError(
            f"{kept_path}: the trials in this folder began with other weights ({kept}); give "
            "another --output, or the same --start and --backbone-only"
        )


def _report(trial, splits, root: str, folder: Path) -> None:
    """Score a run on the splits that it was not scored on yet; kept in its folder."""
    import json

    from shuffleseg_core.json_output import write_json

    from .search_table import REPORT, read_reported

    scores = read_reported(folder)
    for split in splits:
        if split in scores:
            continue
        path = folder / "reported_split.json"
        run_shuffleseg(
            "evaluate", folder, "--dataset", trial.recipe.data.dataset, "--root", root,
            "--split", split, "--json", path,
        )  # fmt: skip
        scores[split] = json.loads(path.read_text(encoding="utf-8"))["miou"]
        path.unlink()
        write_json(str(folder / REPORT), scores)
