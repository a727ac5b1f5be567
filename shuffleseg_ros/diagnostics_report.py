"""What the node tells /diagnostics: level, message and values from a Snapshot (no ROS in here)."""

import os

OK, WARN, ERROR, STALE = range(4)  # diagnostic_msgs/DiagnosticStatus

# Stages in the order in which a frame passes them.
STAGES = ("wait", "convert", "preprocess", "inference", "postprocess", "publish", "total", "views")
RATE_TOLERANCE = 0.9  # of expected_rate: cameras jitter, and so does the window's edge


def judge(snapshot, *, topic, window, stale_timeout, expected_rate=0.0):
    """(level, message), the worst thing first.

    ERROR: a frame failed within the last `window` seconds. STALE: no frame for `stale_timeout`
    seconds. WARN: none yet, or fewer labelled a second than `expected_rate` (0: any rate will do).
    """
    if snapshot.last_failure_age is not None and snapshot.last_failure_age <= window:
        return ERROR, f"{snapshot.failed} failed frames; last: {snapshot.last_failure}"
    silent = snapshot.up_time if snapshot.newest_age is None else snapshot.newest_age
    if silent > stale_timeout:
        return STALE, f"no frame on {topic} for {silent:.1f} s"
    if snapshot.newest_age is None:
        return WARN, f"no frame on {topic} yet"
    message = f"{snapshot.rate_out:.1f} of {snapshot.rate_in:.1f} frames/s labelled"
    # Right after the start the window is not full, so its rates say little.
    if snapshot.up_time > window and snapshot.rate_out < RATE_TOLERANCE * expected_rate:
        return WARN, f"{message}, {expected_rate:g} expected"
    return OK, message


def values(snapshot):
    """[(key, value)] of texts; latencies in ms over the window, counts since the start."""
    pairs = [
        ("input rate (Hz)", f"{snapshot.rate_in:.2f}"),
        ("output rate (Hz)", f"{snapshot.rate_out:.2f}"),
        (
            "age of newest frame (s)",
            "" if snapshot.newest_age is None else f"{snapshot.newest_age:.3f}",
        ),
        ("frames received", str(snapshot.received)),
        ("frames labelled", str(snapshot.labelled)),
        ("frames dropped", str(snapshot.dropped)),
        ("frames dropped in window", str(snapshot.dropped_recently)),
        ("frames failed", str(snapshot.failed)),
        ("last failure", snapshot.last_failure),
    ]
    for stage in STAGES:
        if stage in snapshot.stages:
            p50, p95 = snapshot.stages[stage]
            pairs += [
                (f"{stage} p50 (ms)", f"{p50 * 1e3:.2f}"),
                (f"{stage} p95 (ms)", f"{p95 * 1e3:.2f}"),
            ]
    if snapshot.overhead is not None:
        pairs += [
            ("overhead ratio", f"{snapshot.overhead:.3f}"),
            ("overhead ratio without wait", f"{snapshot.overhead_without_wait:.3f}"),
        ]
    return pairs


def resident_memory_mb():
    """Resident memory of this process in MB (10^6 bytes), None where /proc does not tell."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError, IndexError):
        return None
