"""What the node tells /diagnostics: level, message and values from a Snapshot (no ROS in here).

Levels, names and values follow diagnostic_updater's conventions.
"""

OK, WARN, ERROR, STALE = range(4)  # diagnostic_msgs/DiagnosticStatus

# Stages in the order in which a frame passes them.
STAGES = (
    *("wait", "convert", "preprocess", "inference", "postprocess", "publish", "total", "views"),
    "latency",
)
RATE_TOLERANCE = 0.9  # of expected_rate: cameras jitter, and so does the window's edge


def judge_camera(snapshot, *, topic, window, settings):
    """(level, message) of a camera, the worst thing first.

    `settings` is the camera's CameraSettings.

    ERROR: a frame failed within the last `window` seconds, or `deadline_error_share` of the frames
    missed the deadline. STALE: no frame for `stale_timeout` seconds. WARN: none yet, fewer a second
    than `expected_rate` (0: any rate will do), or `deadline_warn_share` missed the deadline.
    """
    if snapshot.last_failure_age is not None and snapshot.last_failure_age <= window:
        failed = sum(snapshot.failed.values())
        return ERROR, f"{failed} failed frames; last: {snapshot.last_failure}"
    silent = snapshot.up_time if snapshot.newest_age is None else snapshot.newest_age
    if silent > settings.stale_timeout:
        return STALE, f"no frame on {topic} for {silent:.1f} s"
    if snapshot.newest_age is None:
        return WARN, f"no frame on {topic} yet"
    # Right after the start the window is not full, so its rates say little.
    lowest = RATE_TOLERANCE * settings.expected_rate if snapshot.up_time > window else 0.0
    if snapshot.rate_in < lowest:
        return WARN, (
            f"{snapshot.rate_in:.1f} frames/s arrive, {settings.expected_rate:g} expected"
        )
    if snapshot.idle_recently:
        return OK, "idle: nobody subscribes to an output"
    message = f"{snapshot.rate_out:.1f} of {snapshot.rate_in:.1f} frames/s labelled"
    share = snapshot.deadline_misses_recently
    if settings.deadline and share > settings.deadline_warn_share:
        level = ERROR if share > settings.deadline_error_share else WARN
        return level, f"{message}, {share:.0%} later than {1e3 * settings.deadline:g} ms"
    if snapshot.rate_out < lowest:
        return WARN, f"{message}, {settings.expected_rate:g} expected"
    return OK, message


def camera_values(snapshot):
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
        ("frames idle", str(snapshot.idle)),
        ("frames dropped", str(sum(snapshot.dropped.values()))),
        *((f"frames dropped: {cause}", str(n)) for cause, n in sorted(snapshot.dropped.items())),
        ("frames dropped in window", str(snapshot.dropped_recently)),
        ("frames failed", str(sum(snapshot.failed.values()))),
        *((f"frames failed: {cause}", str(n)) for cause, n in sorted(snapshot.failed.items())),
        ("last failure", snapshot.last_failure),
        ("deadline misses", str(snapshot.deadline_misses)),
    ]
    for stage in STAGES:
        if stage in snapshot.stages:
            times = snapshot.stages[stage]
            pairs += [
                (f"{stage} {name} (ms)", f"{getattr(times, name) * 1e3:.2f}")
                for name in ("p50", "p95", "p99", "max")
            ]
    if snapshot.overhead is not None:
        pairs += [
            ("overhead ratio", f"{snapshot.overhead:.3f}"),
            ("overhead ratio without wait", f"{snapshot.overhead_without_wait:.3f}"),
        ]
    return pairs


def judge_process(health, limits):
    """(level, message) of the node's process.

    `health` is a ProcessHealth's sample, `limits` has temperature_warn, temperature_error (°C) and
    memory_warn_mb (0: any).
    """
    if health.temperature is not None:
        told = f"{health.temperature:.0f} °C"
        if health.temperature >= limits["temperature_error"]:
            return ERROR, f"{told}, the limit is {limits['temperature_error']:g}"
        if health.temperature >= limits["temperature_warn"]:
            return WARN, f"{told}, {limits['temperature_warn']:g} is warm"
    if health.throttling:
        return WARN, f"the processor is slowed down: {health.throttling}"
    memory, most = health.resident_memory_mb, limits["memory_warn_mb"]
    if most and memory is not None and memory > most:
        return WARN, f"{memory:.0f} MB resident, {most:g} is the limit"
    return OK, "active"


def process_values(health):
    """[(key, value)] of texts; empty where the kernel does not tell."""

    def text(value, form):
        return "" if value is None else format(value, form)

    return [
        ("CPU share (cores)", text(health.cpu_share, ".2f")),
        ("cores available", str(health.cores)),
        ("resident memory (MB)", text(health.resident_memory_mb, ".1f")),
        ("temperature (°C)", text(health.temperature, ".1f")),
        ("throttling", "" if health.throttling is None else health.throttling or "none"),
        ("limits", health.limits),
    ]
