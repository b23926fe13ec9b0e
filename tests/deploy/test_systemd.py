"""Does systemd understand the unit, and how much is a worker exposed by it?"""

from __future__ import annotations

import configparser
import re
import shutil
import sys
from pathlib import Path

import pytest

from kcl_py.settings import env_name, known_settings
from tests.deploy.files import DEPLOY, ran

UNIT = DEPLOY / "systemd" / "kcl@.service"
EXAMPLE = DEPLOY / "systemd" / "kcl.env.example"
PROGRAM = "/srv/kcl/venv/bin/kcl"
EXPOSURE_MAX = 1.5
"""As `systemd-analyze security` counts it, of 10; it was 1.3 when this was written."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def directives() -> dict[str, str]:
    """Of [Service]; of one that comes several times, all in one."""
    parser = configparser.RawConfigParser(strict=False, dict_type=_Joining)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keeps capitals
    parser.read(UNIT, encoding="utf-8")
    return dict(parser["Service"])


class _Joining(dict):  # type: ignore[type-arg]  # what configparser asks for
    """Lines of the same name follow each other, as systemd reads them."""

    def __setitem__(self, key: object, value: object) -> None:
        if isinstance(value, list) and key in self:
            value = [*self[key], *value]
        super().__setitem__(key, value)


def verified(folder: Path, text: str) -> str:
    """What systemd-analyze complains of; its exit code is 0 also when it warns."""
    unit = folder / UNIT.name
    unit.write_text(text.replace(PROGRAM, sys.executable), encoding="utf-8")
    return ran(["systemd-analyze", "verify", "--man=no", unit]).stderr


@needs_systemd
def test_systemd_has_nothing_to_complain_of(tmp_path: Path) -> None:
    assert verified(tmp_path, UNIT.read_text(encoding="utf-8")) == ""


@needs_systemd
def test_systemd_would_have_complained(tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="utf-8").replace("WatchdogSec=60", "WatchdogSec=soon")

    assert "Failed to parse" in verified(tmp_path, text)


@needs_systemd
def test_a_worker_is_hardly_exposed() -> None:
    said = ran(["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT])
    [level] = re.findall(r"Overall exposure level for \S+: ([\d.]+)", said.stdout)

    assert said.stderr == ""
    assert float(level) <= EXPOSURE_MAX


def test_it_tells_when_it_is_ready_and_that_it_lives() -> None:
    unit = directives()

    assert unit["Type"] == "notify"
    assert 0 < float(unit["WatchdogSec"]) <= 60


def test_a_drain_ends_in_the_time_that_is_granted() -> None:
    unit = directives()
    [grace] = re.findall(r"KCL_STOP_GRACE=(\d+)s", unit["Environment"])

    assert (unit["KillSignal"], unit["KillMode"]) == ("SIGTERM", "mixed")
    assert float(grace) <= float(unit["TimeoutStopSec"]) - 10


def test_the_example_names_what_the_unit_reads_and_settings_that_are() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    names = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    settings = {env_name(name) for name in known_settings()} | {"KCL_APP_NAME", "KCL_STREAM"}

    read = set(re.findall(r"\$\{(\w+)\}", directives()["ExecStart"]))
    assert read == {"PROCESSOR", "PROCESSES"}
    assert read <= names
    own = {name for name in names if name.startswith("KCL_")}
    assert own - settings - {"KCL_METRICS_LEVEL"} == set()
