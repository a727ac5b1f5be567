"""The results of a search, gathered from its run folders, as a table."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from shuffleseg_core.atomic_file import atomic_path
from shuffleseg_core.json_output import write_json

from .metrics_log import read_metrics
from .run_folder import RunFolder
from .search import Search, Trial

REPORT = "reported.json"


def write_table(search: Search, folder: Path) -> list[dict]:
    """Write `table.md` and `table.json` of the trials that are done; returns the latter's rows.

    A row is a variant: the mean over folds of the mean over seeds (`miou`, 0 to 1), the spread of
    seeds (`seed_spread`, the largest standard deviation of a fold's seeds; None with one seed),
    each fold's and each reported split's mean, each class's mean IoU over folds, and `minutes`.
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
    results = [(trial, result) for trial in trials if (result := _result(folder / trial.folder))]
    if not results:
        return None
    folds, spreads = {}, []
    for fold in search.folds:
        scores = [result["val_miou"] for trial, result in results if trial.fold == fold]
        if scores:
            folds[fold] = statistics.fmean(scores)
        if len(scores) > 1:
            spreads.append(statistics.stdev(scores))
    reported = {
        split: statistics.fmean(scores)
        for split in search.report
        if (scores := [r["reported"][split] for _, r in results if split in r["reported"]])
    }
    names = results[0][1]["val_iou"]
    return {
        "variant": trials[0].variant,
        "done": len(results),
        "of": len(trials),
        # Folds that are missing would make it another mean than the other rows'.
        "miou": statistics.fmean(folds.values()) if len(folds) == len(search.folds) else None,
        "seed_spread": max(spreads) if spreads else None,
        "folds": folds,
        "reported": reported,
        "classes": {
            name: statistics.fmean(known)
            if (known := [v for _, r in results if (v := r["val_iou"].get(name)) is not None])
            else None
            for name in names
        },
        "minutes": statistics.fmean(result["minutes"] for _, result in results),
        "overrides": list(trials[0].overrides),
    }


def _result(folder: Path) -> dict | None:
    """The last scores of a finished run; None for one that is not."""
    run = RunFolder(folder)
    if not run.weights.exists():
        return None
    metrics = read_metrics(run.metrics)
    scores = [line for line in metrics if "val_miou" in line]
    if not scores:
        return None
    images = json.loads(run.path.joinpath("model.json").read_text("utf-8"))["training"]
    batch, before, seconds = images["batch_size"], 0, 0.0
    for line in metrics:
        if line.get("images_per_second"):
            seconds += (line["step"] - before) * batch / line["images_per_second"]
            before = line["step"]
    reported = folder / REPORT
    return {
        **scores[-1],
        "minutes": seconds / 60,
        "reported": json.loads(reported.read_text("utf-8")) if reported.exists() else {},
    }


def _markdown(rows: list[dict], search: Search) -> str:
    """mIoU and the classes' IoU in %."""
    classes = list(rows[0]["classes"]) if rows else []
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
                *(_percent(row["classes"][name]) for name in classes),
                f"{row['minutes']:.0f}",
                f"{row['done']}/{row['of']}",
            ]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
