"""What a process takes of its machine, and whether heat or power slows that down (no ROS in here).

All of it is read from Linux's /proc and /sys. A kernel shows some of it; the rest is None.
"""

import dataclasses
import os
import time
from pathlib import Path

# Bits of the Raspberry Pi's firmware flags; shifted left by 16: has occurred since boot.
_FIRMWARE_FLAGS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
# Parts of the names of sensors in the CPU or the chip around it: Raspberry Pi's cpu-thermal and
# bcm2835_thermal, Jetson's CPU-therm and tj-thermal (the hottest of all), Intel's x86_pkg_temp.
_CHIP_SENSORS = ("cpu", "soc", "x86_pkg", "bcm2", "tj-")
_CHIP_DRIVERS = ("coretemp", "k10temp", "zenpower")  # in hwmon; AMD's CPUs have no thermal zone
# Cooling devices whose state is above 0 while the CPU is held back: cpufreq-cpu0,
# thermal-cpufreq-0, Jetson's cpu-throttle-alert, ACPI's Processor. A fan is none of them.
_COOLERS = ("cpufreq", "thermal", "throttle", "processor")
_NOT_CPU = ("gpu", "devfreq")


@dataclasses.dataclass(frozen=True)
class Health:
    """One look at a process and its machine. None: the kernel does not show it."""

    cpu_share: "float | None"  # CPU seconds a second since the last sample; 1.0: one whole core
    cores: int  # that the process may run on
    resident_memory_mb: "float | None"  # 10^6 bytes
    temperature: "float | None"  # °C of the hottest sensor in CPU or SoC, else of any
    throttling: "str | None"  # what holds the CPU back now, one line; '': nothing does
    limits: str  # what held it back before, or did so from the start; one line, '': nothing


class ProcessHealth:
    """Samples a process; which files there are to read is found out once, at the start.

    `pid` is a process, by default this one. `root` holds `proc` and `sys`. Times are seconds of
    `clock` (monotonic).
    """

    def __init__(self, pid=None, root="/", clock=time.monotonic):
        root = Path(root)
        self._pid = pid or 0
        self._process = root / "proc" / str(pid or "self")
        self._clock = clock
        self._sensors = _sensors(root / "sys/class")
        platform = root / "sys/devices/platform"
        self._firmware = next(platform.glob("soc*/soc*:firmware/get_throttled"), None)
        # What kernels have that were not made for the Raspberry Pi: under-voltage alone.
        self._voltage_alarm = next(
            (
                driver.parent / "in0_lcrit_alarm"
                for driver in (root / "sys/class/hwmon").glob("hwmon*/name")
                if _text(driver) == "rpi_volt"
            ),
            None,
        )
        self._coolers = [
            (_text(kind), kind.parent / "cur_state")
            for kind in sorted((root / "sys/class/thermal").glob("cooling_device*/type"))
            if _has(_text(kind), _COOLERS) and not _has(_text(kind), _NOT_CPU)
        ]
        cpus = root / "sys/devices/system/cpu"
        self._throttle_counters = sorted(cpus.glob("cpu*/thermal_throttle/core_throttle_count"))
        self._frequencies = {  # of the CPUs of one kind, kHz: file of the cap → what they can do
            path.parent / "scaling_max_freq": most
            for path in sorted(cpus.glob("cpufreq/policy*/cpuinfo_max_freq"))
            if (most := _integer(path)) is not None
        }
        self._highest_cap = dict.fromkeys(self._frequencies, 0)
        self._throttle_count = self._throttles()
        self._cpu_seconds, self._sampled = self._cpu_time(), clock()

    def sample(self):
        """Health; cpu_share is over the time since the last call, or since this was made."""
        cpu_seconds, now = self._cpu_time(), self._clock()
        share = None
        if None not in (cpu_seconds, self._cpu_seconds) and now > self._sampled:
            share = max(cpu_seconds - self._cpu_seconds, 0.0) / (now - self._sampled)
        self._cpu_seconds, self._sampled = cpu_seconds, now
        throttling, limits = self._slowed()
        return Health(
            cpu_share=share,
            cores=_cores(self._pid),
            resident_memory_mb=resident_memory_mb(self._process),
            temperature=self._temperature(),
            throttling=throttling,
            limits=limits,
        )

    def _cpu_time(self):
        """CPU seconds of all threads of the process."""
        try:
            # The program's name, in brackets, may hold anything.
            fields = _text(self._process / "stat").rpartition(")")[2].split()
            ticks = int(fields[11]) + int(fields[12])
            return ticks / os.sysconf("SC_CLK_TCK")
        except (ValueError, IndexError, OverflowError):
            return None

    def _temperature(self):
        celsius = [value / 1000 for value in map(_integer, self._sensors) if value is not None]
        # Sensors that are switched off say -256 °C and the like.
        return max((value for value in celsius if -40 <= value <= 150), default=None)

    def _slowed(self):
        """(throttling, limits) as in Health."""
        parts = (self._supply(), self._cooling(), self._hot_cores(), self._frequency_caps())
        shown = [part for part in parts if part is not None]
        now, before = ("; ".join(sum(lines, [])) for lines in zip(*shown)) if shown else (None, "")
        return now, before

    # Each of these: (lines of what holds the CPU back now, lines of what else there is to tell),
    # None where the kernel does not show it.

    def _supply(self):
        flags = _integer(self._firmware, 16) if self._firmware else None
        if flags is not None and flags >= 0:
            now = [name for bit, name in enumerate(_FIRMWARE_FLAGS) if flags >> bit & 1]
            past = [name for bit, name in enumerate(_FIRMWARE_FLAGS, 16) if flags >> bit & 1]
            return now, [f"since boot: {', '.join(past)}"] if past else []
        alarm = _integer(self._voltage_alarm) if self._voltage_alarm else None
        return None if alarm is None else ([_FIRMWARE_FLAGS[0]] if alarm > 0 else [], [])

    def _cooling(self):
        states = [(kind, _integer(path)) for kind, path in self._coolers]
        states = [(kind, state) for kind, state in states if state is not None]
        now = [f"{kind} at cooling state {state}" for kind, state in states if state > 0]
        return (now, []) if states else None

    def _hot_cores(self):
        before, self._throttle_count = self._throttle_count, self._throttles()
        if self._throttle_count is None:
            return None
        rose = before is not None and self._throttle_count > before
        return ["CPU throttled by heat"] if rose else [], []

    def _frequency_caps(self):
        now, settings, shown = [], [], False
        for path, most in self._frequencies.items():
            cap = _integer(path)
            if cap is None or cap <= 0:
                continue
            shown = True
            self._highest_cap[path] = max(cap, self._highest_cap[path])
            if cap < most:
                line = f"{path.parent.name} capped at {cap / 1e3:.0f} of {most / 1e3:.0f} MHz"
                # A cap from the start is a setting, such as Jetson's power modes; a lower one is
                # the kernel's answer to heat.
                (now if cap < self._highest_cap[path] else settings).append(line)
        return (now, settings) if shown else None

    def _throttles(self):
        """How often x86 cores were too hot since boot."""
        counts = [count for count in map(_integer, self._throttle_counters) if count is not None]
        return sum(counts) if counts else None


def resident_memory_mb(process=Path("/proc/self")):
    """Resident memory of a process in MB (10^6 bytes), None where /proc does not tell."""
    try:
        return int(_text(process / "statm").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (ValueError, IndexError, OverflowError):
        return None


def _sensors(classes):
    """Files of temperatures in m°C: of the chip where there are such, else all."""
    zones = {
        kind.parent / "temp": _text(kind)
        for kind in sorted(classes.glob("thermal/thermal_zone*/type"))
    }
    chip = [
        path
        for path, kind in zones.items()
        if _has(kind, _CHIP_SENSORS) and "gpu" not in kind.lower()
    ]
    if not chip:
        drivers = sorted(classes.glob("hwmon/hwmon*/name"))
        chip = [kind.parent / "temp1_input" for kind in drivers if _text(kind) in _CHIP_DRIVERS]
    return chip or list(zones)


def _cores(pid):
    try:
        return len(os.sched_getaffinity(pid))
    except (AttributeError, OSError):  # not Linux, or the process is gone
        return os.cpu_count() or 1


def _has(text, words):
    return any(word in text.lower() for word in words)


def _text(path):
    """The beginning of a file as one line; '' where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return " ".join(file.read(1024).decode("ascii", "replace").split())
    except OSError:  # a sensor that is asleep has a file all the same
        return ""


def _integer(path, base=10):
    try:
        return int(_text(path)[:32], base)
    except ValueError:
        return None
