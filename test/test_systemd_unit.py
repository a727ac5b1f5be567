"""The example of a systemd unit: what it starts exists, and systemd takes it."""

import configparser
import re
import shlex
import shutil
import subprocess

import pytest

from conftest import ROOT

UNIT = ROOT / "config" / "systemd" / "shuffleseg.service"


@pytest.fixture(scope="module")
def service():
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read_string(UNIT.read_text(encoding="utf-8"))
    return parser["Service"]


def test_what_it_starts_exists(service):
    shell, option, command = shlex.split(service["ExecStart"])
    assert (shell, option) == ("/bin/bash", "-c")
    *sources, start = command.split(" && ")
    assert [source.split()[0] for source in sources] == ["source", "source"]
    words = start.split()
    assert words[:4] == ["exec", "ros2", "launch", "shuffleseg_ros"]
    launch_file = (ROOT / "launch" / words[4]).read_text(encoding="utf-8")
    for argument in words[5:]:
        assert f'"{argument.partition(":=")[0]}"' in launch_file
    for file in re.findall(r"\w+\.launch\.py", UNIT.read_text(encoding="utf-8")):
        assert (ROOT / "launch" / file).is_file()


def test_it_comes_back_and_ends_by_what_launch_understands(service):
    assert service["Restart"] == "on-failure"
    assert (service["KillSignal"], service["KillMode"]) == ("SIGINT", "mixed")
    # A node has no way to tell systemd that it is well.
    assert "WatchdogSec" not in service


def test_hardening_leaves_the_shared_memory(service):
    assert service["NoNewPrivileges"] == "yes"
    # `strict` would close /tmp, a private one hide it.
    assert service["ProtectSystem"] == "full" and "PrivateTmp" not in service
    assert not {"InaccessiblePaths", "ReadOnlyPaths", "TemporaryFileSystem"} & set(service)
    assert {"AF_UNIX", "AF_INET", "AF_NETLINK"} <= set(service["RestrictAddressFamilies"].split())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_it():
    done = subprocess.run(
        ["systemd-analyze", "verify", UNIT], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
