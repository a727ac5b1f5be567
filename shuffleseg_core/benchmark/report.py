"""A benchmark's figures as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_COLUMNS = (
    ("model", "model", "{}"),
    ("threads", "threads", "{}"),
    ("input", "input_size", "{}"),
    ("labels", "image_size", "{}"),
    ("mean", "mean_ms", "{:.1f}"),
    ("var", "variance_ms2", "{:.1f}"),
    ("min", "min_ms", "{:.1f}"),
    ("p50", "p50_ms", "{:.1f}"),
    ("p95", "p95_ms", "{:.1f}"),
    ("p99", "p99_ms", "{:.1f}"),
    ("fps", "fps", "{:.1f}"),
    ("feed", "preprocess_ms", "{:.2f}"),
    ("network", "network_ms", "{:.1f}"),
    ("enlarge", "labels_ms", "{:.2f}"),
    ("GMAC/s", "gmac_per_s", "{:.1f}"),
    ("of GEMM", "gemm_share", "{:.0%}"),
    ("file MB", "file_mb", "{:.1f}"),
    ("peak MB", "peak_mb", "{:.0f}"),
    ("× as fast", "times_as_fast_as_first", "{:.2f}"),
)


def print_table(report: Mapping) -> None:
    """The results of `shuffleseg benchmark`, a line each, under what they were measured on."""
    versions = ", ".join(f"{name} {number}" for name, number in report["software"].items())
    print(f"{report['cpu']}, {report['cores']} cores; {versions}")
    results = report["results"]
    print(
        f"{results[0]['frames']} frames of {report['source']}, in turns, after "
        f"{report['warm_up']}; times in ms"
    )
    shown = [column for column in _COLUMNS if column[1] in results[0]]
    rows = [[head for head, _, _ in shown]]
    rows += [[form.format(result[key]) for _, key, form in shown] for result in results]
    print_columns(rows)
    for threads, rate in report.get("gemm_gmac_per_s", {}).items():
        print(f"float32 product of 1024 × 1024 matrices, threads {threads}: {rate:.1f} GMAC/s")


def print_bars(report: Mapping) -> None:
    """The groups of `--suite bars`, and the ratios of medians and of minima."""
    versions = ", ".join(f"{name} {number}" for name, number in report["software"].items())
    print(f"{report['cpu']}, {report['cores']} cores; {versions}")
    print(f"{report['frames']} frames of {report['source']} a group, in turns; times in ms")
    for group, found in report["groups"].items():
        rows = [["", "median", "min", "p95", "feed", "network", "labels"]]
        keys = ("p50_ms", "min_ms", "p95_ms", "preprocess_ms", "network_ms", "labels_ms")
        rows += [[name, *(f"{one[key]:.2f}" for key in keys)] for name, one in found.items()]
        print(f"\n{group}")
        print_columns(rows)
    rows = [["ratio", "of medians", "of minima", "medians with our labels"]]
    for key, value in report["ratios"].items():
        others = (report[of].get(key) for of in ("minima", "same_labels"))
        rows.append([key, f"{value:.3f}", *("" if x is None else f"{x:.3f}" for x in others)])
    print()
    print_columns(rows)
    print(
        f"float32 product of 1024 × 1024 matrices, 1 thread: {report['gemm_gmac_per_s']:.1f} "
        f"GMAC/s; {report['blended_pixels']:.0%} of the pixels lie in cells of several classes"
    )


def print_operators(name: str, times: Sequence[Mapping]) -> None:
    """Times by kind of operator, the longest first."""
    kinds: dict[str, list] = {}
    for operator in times:
        kinds.setdefault(operator["name"], []).append(operator)
    total = sum(operator["seconds"] for operator in times)
    rows = [["operator", "number", "ms", "share", "GMAC/s", "slow kernel"]]
    for kind, found in sorted(kinds.items(), key=lambda item: -_seconds(item[1])):
        seconds = _seconds(found)
        rate = sum(operator["macs"] for operator in found) / seconds / 1e9
        left = sum(not operator["delegated"] for operator in found)
        rows.append(
            [kind, str(len(found)), f"{1000 * seconds:.2f}", f"{seconds / total:.0%}"]
            + [f"{rate:.1f}" if rate else "", str(left) if left else ""]
        )
    print(f"\n{name}, operators one by one: {1000 * total:.1f} ms")
    print_columns(rows)


def _seconds(operators) -> float:
    return sum(operator["seconds"] for operator in operators)


def print_columns(rows: Sequence[Sequence[str]]) -> None:
    """The first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        first = row[0].ljust(widths[0])
        print("  ".join([first, *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]).rstrip())
