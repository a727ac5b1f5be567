"""The results of a search, gathered from its run folders, as a table."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from pathlib import Path

from shuffleseg_core.atomic_file import atomic_path
from shuffleseg_core.json_output import write_json

from .kept_recipe import check_kept_recipe
from .metrics_log import read_metrics
from .run_folder import RunFolder
from .search import Search, Trial

REPORT = "reported.json"


def write_table(search: Search, folder: Path) -> list[dict]:
    """Write `table.md` and `table.json` of the trials that are done; returns the latter's rows.

    A row is a variant: the mean over folds of the mean over seeds (`miou`, 0 to 1), the spread of
    seeds (`seed_spread`, the largest standard deviation of a fold's seeds; None with one seed), the
    `seeds` done, each fold's and each reported split's mean, each class's mean IoU over folds,
    and `minutes`.

    Raises:
        UserError: a run folder holds a training by another recipe than its trial's.
    """
    rows = [
        row
        for variant in search.variants
        if (row := _row([t for t in search.trials if t.variant == variant], search, folder))
    ]
    write_json(str(folder / "table.json"), {"search": search.name, "rows": rows})
    with atomic_path(folder / "table.md") as temporary:
        temporary.write_text(_markdown(rows, search), encoding="utf-8")
    return rows


def _row(trials: list[Trial], search: Search, folder: Path) -> dict | None:
    results = [(trial, result) for trial in trials if (result := _result(trial, folder))]
    if not results:
        return None
    folds, spreads = {}, []
    for fold in search.folds:
        scores = _known(result["val_miou"] for trial, result in results if trial.fold == fold)
        if scores:
            folds[fold] = statistics.fmean(scores)
        if len(scores) > 1:
            spreads.append(statistics.stdev(scores))
    reported = {
        split: statistics.fmean(scores)
        for split in search.report
        if (scores := _known(result["reported"].get(split) for _, result in results))
    }
    names = results[0][1]["val_iou"]
    return {
        "variant": trials[0].variant,
        "seeds": sorted({trial.seed for trial, _ in results}),
        "done": len(results),
        "of": len(trials),
        # Folds that are missing would make it another mean than the other rows'.
        "miou": statistics.fmean(folds.values()) if len(folds) == len(search.folds) else None,
        "seed_spread": max(spreads) if spreads else None,
        "folds": folds,
        "reported": reported,
        "classes": {
            name: statistics.fmean(scores) if scores else None
            for name in names
            for scores in [_known(result["val_iou"].get(name) for _, result in results)]
        },
        "minutes": statistics.fmean(result["minutes"] for _, result in results),
        "changes": list(trials[0].changes),
    }


def _known(scores: Iterable[float | None]) -> list[float]:
    """Without those of a split or class that no labelled pixel has."""
    return [score for score in scores if score is not None]


def _result(trial: Trial, search_folder: Path) -> dict | None:
    """The last scores of a finished run; None for one that is not."""
    folder = search_folder / trial.folder
    run = RunFolder(folder)
    if not run.weights.exists():
        return None
    check_kept_recipe(run, trial.recipe)
    metrics = read_metrics(run.metrics)
    scores = [line for line in metrics if "val_miou" in line]
    if not scores:
        return None
    batch, before, seconds = trial.recipe.optimization.batch_size, 0, 0.0
    for line in metrics:
        if line.get("images_per_second"):
            seconds += (line["step"] - before) * batch / line["images_per_second"]
            before = line["step"]
    return {**scores[-1], "minutes": seconds / 60, "reported": read_reported(folder)}


def read_reported(folder: Path) -> dict[str, float | None]:
    """Split → mIoU of a run folder, beside its fold's own."""
    path = folder / REPORT
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def _markdown(rows: list[dict], search: Search) -> str:
    """mIoU and the classes' IoU in %."""
    classes = list(dict.fromkeys(name for row in rows for name in row["classes"]))
    head = ["variant", "mIoU", "± seeds", *search.folds, *search.report, *classes, "min", "runs"]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for row in rows:
        lines.append(
            [
                row["variant"],
                _percent(row["miou"]),
                _percent(row["seed_spread"]),
                *(_percent(row["folds"].get(fold)) for fold in search.folds),
                *(_percent(row["reported"].get(split)) for split in search.report),
                *(_percent(row["classes"].get(name)) for name in classes),
                f"{row['minutes']:.0f}",
                f"{row['done']}/{row['of']}",
            ]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
