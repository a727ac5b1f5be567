"""What the kernel shows of a process and its machine, on trees of files as kernels make them."""

import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shuffleseg_ros.process_health import ProcessHealth, resident_memory_mb


def write(root, path, text):
    path = root / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


def zone(root, number, kind, temperature):
    write(root, f"sys/class/thermal/thermal_zone{number}/type", kind)
    write(root, f"sys/class/thermal/thermal_zone{number}/temp", temperature)


def cooler(root, number, kind, state):
    write(root, f"sys/class/thermal/cooling_device{number}/type", kind)
    write(root, f"sys/class/thermal/cooling_device{number}/cur_state", state)


def frequency(root, policy, cap, most):
    folder = f"sys/devices/system/cpu/cpufreq/policy{policy}"
    write(root, f"{folder}/scaling_max_freq", cap)
    write(root, f"{folder}/cpuinfo_max_freq", most)


FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"


def test_this_process_on_this_machine():
    health = ProcessHealth()
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    found = health.sample()
    assert 0 < found.cpu_share <= (os.cpu_count() or 1) + 1
    assert found.cores == len(os.sched_getaffinity(0))
    assert 1 < found.resident_memory_mb < 100_000
    assert found.temperature is None or -40 <= found.temperature <= 150
    assert ProcessHealth(os.getppid()).sample().resident_memory_mb > 0


def test_cpu_share_is_over_the_time_between_two_samples(tmp_path):
    now = [10.0]
    tick = os.sysconf("SC_CLK_TCK")

    def spent(user, system):
        fields = f"S 1 2 3 4 5 6 7 8 9 10 {int(user * tick)} {int(system * tick)} 0 0 20 0 5"
        write(tmp_path, "proc/77/stat", f"77 (a name) with) 3 9) {fields}")

    spent(1, 1)
    health = ProcessHealth(77, tmp_path, clock=lambda: now[0])
    assert health.sample().cpu_share is None  # no time went by
    now[0] += 2
    spent(3, 2)
    assert health.sample().cpu_share == pytest.approx(1.5)
    now[0] += 4
    spent(4, 2)
    assert health.sample().cpu_share == pytest.approx(0.25)


def test_memory_is_of_the_second_field(tmp_path):
    write(tmp_path, "proc/self/statm", "9000 2000 300 1 0 1 0")
    expected = 2000 * os.sysconf("SC_PAGE_SIZE") / 1e6
    assert ProcessHealth(root=tmp_path).sample().resident_memory_mb == expected
    assert resident_memory_mb(tmp_path / "proc/self") == expected


def test_a_kernel_that_shows_nothing(tmp_path):
    found = ProcessHealth(root=tmp_path).sample()
    assert (found.cpu_share, found.resident_memory_mb, found.temperature) == (None, None, None)
    assert (found.throttling, found.limits) == (None, "")
    assert found.cores >= 1


@pytest.mark.parametrize(
    "zones, hottest",
    [
        ([("cpu-thermal", 48312)], 48.312),  # Raspberry Pi
        ([("bcm2835_thermal", 51000), ("battery", 90000)], 51.0),
        ([("acpitz", 90000), ("x86_pkg_temp", 61000), ("iwlwifi_1", 70000)], 61.0),
        # Jetson: off is -256 °C
        ([("CPU-therm", 40500), ("GPU-therm", 60000), ("cv0-thermal", -256000)], 40.5),
        ([("cpu-thermal", 50000), ("soc0-thermal", 52000), ("tj-thermal", 52500)], 52.5),
        ([("acpitz", 27800), ("pch_cannonlake", 44000)], 44.0),  # none is surely the CPU
        ([("cpu-thermal", "")], None),
        ([("cpu-thermal", -256000)], None),
    ],
)
def test_the_hottest_of_the_chips_sensors(tmp_path, zones, hottest):
    for number, (kind, temperature) in enumerate(zones):
        zone(tmp_path, number, kind, temperature)
    assert ProcessHealth(root=tmp_path).sample().temperature == hottest


def test_a_driver_in_hwmon_where_no_zone_is_the_cpus(tmp_path):
    zone(tmp_path, 0, "acpitz", 27800)
    write(tmp_path, "sys/class/hwmon/hwmon0/name", "nvme")
    write(tmp_path, "sys/class/hwmon/hwmon0/temp1_input", 80000)
    write(tmp_path, "sys/class/hwmon/hwmon1/name", "k10temp")
    write(tmp_path, "sys/class/hwmon/hwmon1/temp1_input", 55125)
    assert ProcessHealth(root=tmp_path).sample().temperature == 55.125


@pytest.mark.parametrize(
    "flags, throttling, limits",
    [
        ("0", "", ""),
        ("0x0", "", ""),
        ("1", "under-voltage", ""),
        (
            "50005",
            "under-voltage; throttled",
            "since boot: under-voltage, throttled",
        ),
        ("a", "frequency capped; soft temperature limit", ""),
        ("80000", "", "since boot: soft temperature limit"),
        ("nonsense", None, ""),
        ("-1", None, ""),
    ],
)
def test_the_raspberry_pis_firmware_flags(tmp_path, flags, throttling, limits):
    write(tmp_path, FIRMWARE, flags)
    found = ProcessHealth(root=tmp_path).sample()
    assert (found.throttling, found.limits) == (throttling, limits)


def test_under_voltage_where_the_firmware_flags_are_missing(tmp_path):
    write(tmp_path, "sys/class/hwmon/hwmon3/name", "rpi_volt")
    write(tmp_path, "sys/class/hwmon/hwmon3/in0_lcrit_alarm", 0)
    health = ProcessHealth(root=tmp_path)
    assert health.sample().throttling == ""
    write(tmp_path, "sys/class/hwmon/hwmon3/in0_lcrit_alarm", 1)
    assert health.sample().throttling == "under-voltage"


@pytest.mark.parametrize(
    "kind, tells",
    [
        ("thermal-cpufreq-0", True),
        ("cpufreq-cpu0", True),
        ("cpu-throttle-alert", True),
        ("Processor", True),
        ("pwm-fan", False),
        ("gpu-throttle-alert", False),
        ("thermal-devfreq-0", False),
        ("intel_powerclamp", False),
    ],
)
def test_cooling_devices_that_hold_the_cpu_back(tmp_path, kind, tells):
    cooler(tmp_path, 0, kind, 0)
    health = ProcessHealth(root=tmp_path)
    assert health.sample().throttling == ("" if tells else None)
    cooler(tmp_path, 0, kind, 3)
    assert health.sample().throttling == (f"{kind} at cooling state 3" if tells else None)


def test_x86_counters_tell_while_they_rise(tmp_path):
    path = "sys/devices/system/cpu/cpu{}/thermal_throttle/core_throttle_count"
    write(tmp_path, path.format(0), 7)
    write(tmp_path, path.format(1), 0)
    health = ProcessHealth(root=tmp_path)
    assert health.sample().throttling == ""  # 7 times, but before
    write(tmp_path, path.format(1), 1)
    assert health.sample().throttling == "CPU throttled by heat"
    assert health.sample().throttling == ""


def test_a_frequency_cap_from_the_start_is_a_setting_and_a_later_one_throttling(tmp_path):
    frequency(tmp_path, 0, 1510400, 1984000)
    frequency(tmp_path, 4, 1984000, 1984000)
    health = ProcessHealth(root=tmp_path)
    setting = "policy0 capped at 1510 of 1984 MHz"
    for _ in range(2):
        found = health.sample()
        assert (found.throttling, found.limits) == ("", setting)
    frequency(tmp_path, 4, 1000000, 1984000)
    found = health.sample()
    assert found.throttling == "policy4 capped at 1000 of 1984 MHz" and found.limits == setting
    frequency(tmp_path, 4, 1984000, 1984000)
    assert health.sample().throttling == ""


CONTENTS = st.one_of(
    st.none(),  # a folder instead of a file: cannot be read
    st.binary(max_size=60),
    st.integers().map(lambda n: str(n).encode()),
    st.sampled_from(
        [b"", b"9" * 5000, b"-1", b"0x", b"nan", b"1e999", b"1 " + b"9" * 999, b") " + b"9 " * 40]
    ),
)
FILES = (
    "proc/self/stat",
    "proc/self/statm",
    "sys/class/thermal/thermal_zone0/type",
    "sys/class/thermal/thermal_zone0/temp",
    "sys/class/thermal/cooling_device0/type",
    "sys/class/thermal/cooling_device0/cur_state",
    "sys/class/hwmon/hwmon0/name",
    "sys/class/hwmon/hwmon0/in0_lcrit_alarm",
    "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq",
    "sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq",
    FIRMWARE,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contents=st.lists(CONTENTS, min_size=len(FILES), max_size=len(FILES)))
def test_no_file_is_too_absurd(tmp_path_factory, contents):
    root = tmp_path_factory.mktemp("kernel")
    for name, content in zip(FILES, contents):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content)
    # Known names, so that what lies beside them is read.
    write(root, "sys/class/thermal/thermal_zone1/type", "cpu-thermal")
    (root / "sys/class/thermal/thermal_zone1/temp").write_bytes(contents[0] or b"")
    write(root, "sys/class/thermal/cooling_device1/type", "cpufreq-cpu0")
    (root / "sys/class/thermal/cooling_device1/cur_state").write_bytes(contents[1] or b"")
    health = ProcessHealth(root=root)
    for _ in range(2):
        found = health.sample()
        for number in (found.cpu_share, found.resident_memory_mb, found.temperature):
            assert number is None or isinstance(number, float)
        assert found.throttling is None or "\n" not in found.throttling
        assert "\n" not in found.limits
