"""Does `kcl config show` say what holds, and who says so?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kcl_py.settings import known_settings
from tests.cli.typed import Kcl

FILE = """
app = "orders"
stream = "people"
stop_grace = 40
[leases]
duration = "5s"
settle = "1s"
[delivery]
buffer_bytes = "64MiB"
"""


@pytest.fixture
def file(bare: None, tmp_path: Path) -> str:
    (tmp_path / "kcl.toml").write_text(FILE)
    return "kcl.toml"


def test_every_setting_has_a_value_a_unit_and_an_origin(
    kcl: Kcl, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KCL_LEASES_DURATION", "6s")
    monkeypatch.setenv("KCL_STOP_GRACE", "41s")
    monkeypatch.setenv("KCL_STREAM", "cats")
    flags = ("--set", "leases.duration=7s", "--region", "eu-west-1")

    typed = kcl("config", "show", "--config", file, *flags, "-o", "json")

    assert typed.code == 0, typed.err
    rows = {row["setting"]: row for row in json.loads(typed.out)}
    assert list(rows) == ["app", "stream", *known_settings()]
    said = {name: (row["value"], row["unit"], row["origin"]) for name, row in rows.items()}
    assert said["app"] == ("orders", None, "kcl.toml:app")
    assert said["stream"] == ("cats", None, "KCL_STREAM")
    assert said["leases.duration"] == (7.0, "seconds", "--set")
    assert said["stop_grace"] == (41.0, "seconds", "KCL_STOP_GRACE")
    assert said["leases.settle"] == (1.0, "seconds", "kcl.toml:leases.settle")
    assert said["delivery.buffer_bytes"] == (
        64 * 1024**2,
        "bytes",
        "kcl.toml:delivery.buffer_bytes",
    )
    assert said["region"] == ("eu-west-1", None, "--region")
    assert said["leases.max_leases"] == (None, None, "default")


def test_for_eyes_values_are_spelled_as_they_would_be_written(kcl: Kcl, bare: None) -> None:
    typed = kcl("config", "show", "--set", "on_error.backoff.first=50ms", "--app", "x")

    cells = {line.split()[0]: line.split()[1:] for line in typed.out.splitlines() if line.split()}
    assert cells["app"] == ["x", "-", "--app"]
    assert cells["on_error.backoff.first"] == ["0.05", "seconds", "--set"]
    assert cells["leases.max_leases"] == ["none", "-", "default"]
    assert cells["table.create"] == ["true", "-", "default"]


def test_a_variable_names_the_file(kcl: Kcl, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KCL_CONFIG", file)

    typed = kcl("config", "show", "-o", "jsonl")

    rows = {row["setting"]: row for row in map(json.loads, typed.out.splitlines())}
    assert rows["stop_grace"]["origin"] == "kcl.toml:stop_grace"


def test_what_a_worker_would_refuse_is_refused(kcl: Kcl, file: str, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[leases]\nduration = '1s'\n")
    (tmp_path / "worse.toml").write_text("[leases]\nduratoin = '1s'\n")

    assert kcl("config", "show", "--config", "bad.toml").failed(2, "bad.toml:leases.duration")
    assert kcl("config", "show", "--config", "worse.toml").failed(
        2, "worse.toml line 2", "did you mean 'leases.duration'"
    )
    assert kcl("config", "show", "--config", "no.toml").failed(2, "no.toml cannot be read")
    assert kcl("config", "show", "--config", "bad.toml", "--set", "leases.duration=5s").code == 0


def test_every_command_knows_the_file(kcl: Kcl, bare: None) -> None:
    assert kcl("leases", "--config", "no.toml").failed(2, "no.toml cannot be read")
