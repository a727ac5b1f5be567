"""The tables as data (what goes into JSON) and as Markdown."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from ..errors import UserError
from .published import FIGURES, Published, published_figures, published_of
from .relation import Score, relate
from .systems import SYSTEMS, System

#: Scores that `--scores` may hold, in %, as they are called.
MEASURED = {"left_out_drive": "drive left out", "val": "CamVid val"}
_PUBLISHED = {"val_miou": "published val", "test_miou": "published test"}


def read_scores(path: Path) -> dict[str, dict]:
    """System's key → what was scored by our training: `MEASURED` in %, and whatever else it says.

    Args:
        path: a JSON of that form, or the `table.json` of a `shuffleseg search` whose variants are
            named as the systems.

    Raises:
        UserError: the file cannot be read, or is of another form.
    """
    try:
        scores = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: no JSON: {error}") from error
    if isinstance(scores, dict) and "search" in scores:
        try:
            scores = _of_search(scores)
        except (KeyError, TypeError) as error:
            raise UserError(f"{path}: no table of a search: {error!r}") from error
    known = [system.key for system in SYSTEMS]
    if not isinstance(scores, dict) or not all(isinstance(s, dict) for s in scores.values()):
        raise UserError(f"{path}: write {{system: {{score: mIoU in %}}}}")
    for system, found in scores.items():
        if system not in known:
            raise UserError(f"{path}: system {system!r} is not known; it is one of {known}")
        for name in MEASURED:
            miou = found.get(name)
            if miou is not None and not (isinstance(miou, (int, float)) and 1 < miou <= 100):
                raise UserError(f"{path}: {system}: {name} is {miou!r}; give mIoU in %")
    return scores


def _of_search(table: Mapping) -> dict[str, dict]:
    """Rows as `shuffleseg_training.search_table.write_table` writes them."""
    found = {}
    for row in table["rows"]:
        scores = {"left_out_drive": row["miou"], "val": row["reported"].get("val")}
        found[row["variant"]] = {
            **{name: 100 * miou for name, miou in scores.items() if miou is not None},
            "search": table["search"],
            "seeds": " and ".join(map(str, row["seeds"])),
        }
        if row["seed_spread"] is not None:
            found[row["variant"]]["± seeds"] = f"{100 * row['seed_spread']:.1f}"
    return found


def report_systems(
    systems: Sequence[System],
    counts: Mapping[str, dict],
    times: Mapping[str, Mapping],
    scores: Mapping[str, Mapping],
    size: str,
) -> dict[str, dict]:
    """System's key → all there is of it.

    Args:
        systems: the rows, in order.
        counts: as `count_systems` gives them.
        times: as `time_systems` gives them.
        scores: as `read_scores` gives them.
        size: that times are compared at.
    """
    medians = {
        system.key: {form: found["p50_ms"] for form, found in times[system.key][size].items()}
        for system in systems
    }
    rows = {}
    for system in systems:
        key = system.key
        shared = [other.key for other in systems if other.network == system.network]
        rows[key] = {
            "title": system.title,
            "ours": system.ours,
            "architecture": system.architecture,
            "options": dict(system.options),
            "loss": system.loss,
            "shares_network_with": [other for other in shared if other != key],
            **counts[key],
            "times": times[key],
            "published": [asdict(figure) for figure in published_figures().get(key, ())],
            "scores": dict(scores.get(key, {})),
            "against": {
                ours.key: relate(
                    medians[key],
                    medians[ours.key],
                    tuple(_scores(key, scores)),
                    tuple(_one_a_basis(_scores(ours.key, scores))),
                ).to_dict()
                for ours in systems
                if ours.ours and ours.key != key
            },
        }
    return rows


def _scores(key: str, scores: Mapping[str, Mapping]) -> Iterable[Score]:
    """Those of our training first: they are of the same data and recipe."""
    for name, words in MEASURED.items():
        miou = scores.get(key, {}).get(name)
        if miou is not None:
            yield Score(f"our training, {words}", miou)
    for figure, words in _PUBLISHED.items():
        for found in published_of(key, figure):
            yield Score(words, found.value, found.size)


def _one_a_basis(scores: Iterable[Score]) -> list[Score]:
    best: dict[str, Score] = {}
    for score in scores:
        if score.basis not in best or score.miou > best[score.basis].miou:
            best[score.basis] = score
    return list(best.values())


def markdown(report: Mapping, picture: str) -> str:
    """The report as a page.

    Args:
        report: what `shuffleseg tables` writes as JSON.
        picture: name of the picture beside it.
    """
    systems = report["systems"]
    parts = ["# Every system side by side", _introduction(report)]
    if report["not_built"]:
        parts.append(f"Without a network here, and so left out: {', '.join(report['not_built'])}.")
    parts += ["## Scores, and how ours stands", _standing(systems, report["compared_at"])]
    parts.append(f"![Latency against mIoU]({picture})")
    for size in report["sizes"]:
        parts += [f"## {size}", _costs(systems, size)]
    parts += ["## Counts against published ones", _counts(systems)]
    parts += ["## Published figures and their sources", _sources(systems)]
    return "\n\n".join(parts) + "\n"


def _introduction(report: Mapping) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in report["software"].items())
    unfitted = [row["title"] for row in report["systems"].values() if not row["fitted"]]
    lines = [
        f"Made by `{report['command']}` on {report['cpu']}, {report['cores']} cores; {versions}.",
        f"{report['frames']} frames of {report['source']}, after {report['warm_up']} that warm up, "
        f"{report['threads']} threads; all systems of a size in turns on the same frames.",
        f"A system slower than {report['slow_ms']:g} ms has every k-th frame only: its number "
        "of frames says so.",
        "",
        "- **plain** is how the paper measured: the network layer by layer with resize and argmax "
        "in the graph, float32, LiteRT with XNNPACK, for all alike.",
        "- **exported** is what `shuffleseg export` writes by default, for others' networks as "
        "for ours: the deploy graph where the network has one, and labels by our upsampling.",
        "- Weights are random, classifiers fitted to "
        f"{report['fitted_to']} so that labels have a street's borders"
        + (f" (not of {', '.join(unfitted)})" if unfitted else "")
        + ". Times run from the image in memory to its labels; GFLOPs are 2 × "
        "multiply-accumulates; peak MB is of a process that does nothing else.",
        "- *Figures in italics are published ones*, measured by others, of other sizes and on "
        "other machines as noted; `?`: not compared with its source by us. All others are ours, "
        "of this run.",
    ]
    return "\n".join(lines)


def _standing(systems: Mapping[str, Mapping], size: str) -> str:
    ours = [key for key, row in systems.items() if row["ours"]]
    head = ["system", f"plain, {size}, p50 ms", "exported, p50 ms"]
    head += ["Cityscapes val, %", "Cityscapes test, %"]
    head += [f"our training: {words}, %" for words in MEASURED.values()]
    head += [f"against {systems[key]['title']}" for key in ours]
    rows = []
    for key, row in systems.items():
        times = row["times"][size]
        cells = [row["title"], *(f"{times[form]['p50_ms']:.1f}" for form in ("plain", "exported"))]
        cells += [_published_cell(key, figure) for figure in _PUBLISHED]
        cells += [_number(row["scores"].get(name), ".1f") for name in MEASURED]
        cells += [row["against"][other]["text"] if other != key else "" for other in ours]
        rows.append(cells)
    notes = [
        f"- {row['title']}: {_settings(row['scores'])}"
        for row in systems.values()
        if _settings(row["scores"])
    ]
    legend = (
        f"The last columns go by the medians at {size}, plain and (in brackets) exported, where "
        "3 % count as nothing, and compare scores of the same data alone: points are of mIoU, "
        "theirs minus ours. Published scores are of the input sizes in brackets, larger than "
        "those timed here; where a system has several, that of our size or else the best counts."
    )
    table = _table(head, rows, left=len(ours))
    return "\n\n".join([legend, table, *(["Our training:", "\n".join(notes)] if notes else [])])


def _settings(scores: Mapping) -> str:
    return ", ".join(f"{k} {v}" for k, v in scores.items() if k not in MEASURED)


def _costs(systems: Mapping[str, Mapping], size: str) -> str:
    figures = ("gflops", "mean_ms", "variance_ms2", "fps", "file_mb")
    shown = [f for f in figures if any(any(published_of(key, f, size)) for key in systems)]
    head = ["system", "parameters", "GFLOPs", "frames"]
    for form in ("plain", "exported"):
        head += [f"{form}: MB", "mean ms", "var ms²", "p50 ms", "fps", "peak MB"]
    head += [f"*published: {' '.join(FIGURES[figure]).strip()}*" for figure in shown]
    rows = []
    for key, row in systems.items():
        times = row["times"][size]
        frames = "/".join(dict.fromkeys(str(found["frames"]) for found in times.values()))
        cells = [row["title"], f"{row['parameters']:,}", f"{2 * row['gmac'][size]:.3g}", frames]
        for form in ("plain", "exported"):
            found = times[form]
            keys = ("file_mb", "mean_ms", "variance_ms2", "p50_ms", "fps")
            cells += [f"{found[name]:.1f}" for name in keys]
            cells.append(_number(found.get("peak_mb"), ".0f"))
        cells += [_published_cell(key, figure, size, False) for figure in shown]
        rows.append(cells)
    return _table(head, rows)


def _counts(systems: Mapping[str, Mapping]) -> str:
    head = [
        "system",
        "parameters",
        "*published: M*",
        "size",
        "GMAC",
        "GFLOPs",
        "*published: GFLOPs*",
    ]
    rows = []
    for key, row in systems.items():
        sizes = [figure.size for figure in published_of(key, "gflops")] or [None]
        for size in sizes:
            parameters = [f"{row['parameters']:,}", _published_cell(key, "parameters_m")]
            cells = ["", "", ""]
            if size:
                gmac = row["gmac"][size]
                figure = _published_cell(key, "gflops", size, False)
                cells = [f"{gmac:.3g}", f"{2 * gmac:.3g}", figure]
            rows.append([row["title"], *parameters, size or "", *cells])
    legend = (
        "Parameters are of 19 classes with all four of a batch-norm channel. Many authors count a "
        "multiply-accumulate as one operation, so that their GFLOPs are to be held against GMAC."
    )
    return f"{legend}\n\n{_table(head, rows)}"


def _sources(systems: Mapping[str, Mapping]) -> str:
    head = ["system", "figure", "value", "size", "source", "compared with it", "note"]
    rows = []
    for key, row in systems.items():
        for found in published_figures().get(key, ()):
            words, unit = FIGURES[found.figure]
            value = f"{_italic(found)} {unit}".strip()
            cells = [row["title"], words, value, found.size or "", found.source]
            rows.append([*cells, found.checked or "no", found.note or ""])
    return _table(head, rows, left=len(head))


def _published_cell(key: str, figure: str, size: str | None = None, with_size: bool = True) -> str:
    return ", ".join(
        _italic(found) + (f" ({found.size})" if with_size and found.size else "")
        for found in published_of(key, figure, size)
    )


def _italic(found: Published) -> str:
    return f"*{found.value:g}*" + ("" if found.checked else "?")


def _number(value: float | None, form: str) -> str:
    return "" if value is None or math.isnan(value) else format(value, form)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 0) -> str:
    """The first column and the last `left` ones to the left, the others to the right."""
    columns = len(head)
    rule = ["---" if n == 0 or n >= columns - left else "---:" for n in range(columns)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, rule, *rows])
