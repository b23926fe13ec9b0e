"""Do the linters of each kind of file find nothing in `deploy/` and `.ci/`?"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from kcl_py import WorkerConfig
from tests.deploy.files import COMPOSE, DEPLOY, ROOT, load, ran, tool

SCRIPTS = [
    path
    for path in (*(ROOT / ".ci").iterdir(), *DEPLOY.rglob("*.sh"))
    if path.is_file() and path.read_bytes().startswith(b"#!")
]
YAML_RULES = "{extends: default, rules: {line-length: {max: 150}, document-start: disable}}"


def test_the_dockerfile() -> None:
    said = ran([tool("hadolint"), DEPLOY / "Dockerfile"])

    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_hadolint_would_have_found_something(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python:latest\nRUN cd /x && sudo pip install boto3\n", encoding="utf-8")

    said = ran([tool("hadolint"), bad])

    assert said.returncode != 0
    assert {"DL3007", "DL3004"} <= set(re.findall(r"DL\d+", said.stdout))


def test_the_fleet_on_one_machine_is_what_compose_reads() -> None:
    said = ran([tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", COMPOSE])

    assert (said.returncode, said.stderr) == (0, ""), said.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shell_scripts(script: Path) -> None:
    said = ran([tool("shellcheck"), script])

    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
    assert os.access(script, os.X_OK) or script.suffix == ".sh"


@pytest.mark.parametrize(
    "file", sorted(DEPLOY.rglob("*.yaml")), ids=lambda path: path.relative_to(DEPLOY).as_posix()
)
def test_yaml_files(file: Path) -> None:
    said = ran([tool("yamllint"), "--strict", "-d", YAML_RULES, file])

    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


# ----------------------------------------------------------------------------------------- compose


def test_the_fleet_is_three_workers_a_producer_and_the_engine() -> None:
    services = load(COMPOSE)["services"]

    assert set(services) == {"engine", "stream", "producer", "worker"}
    assert services["worker"]["deploy"]["replicas"] == 3


def test_all_of_it_is_hardened_and_talks_to_the_engine_alone() -> None:
    for name, service in load(COMPOSE)["services"].items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["init"] is True
        if name != "engine":
            assert service["network_mode"] == "service:engine"
            assert service["environment"]["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4567"


def test_workers_get_longer_than_they_need_to_stop() -> None:
    granted = load(COMPOSE)["services"]["worker"]["stop_grace_period"]

    assert float(granted.removesuffix("s")) > WorkerConfig().stop_grace + 5
