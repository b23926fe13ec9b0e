"""Do the alarms for Prometheus fire when they should, and only then? Its own tool plays them."""

from __future__ import annotations

import os
import shutil
from typing import Final

import pytest

from tests.deploy.files import DEPLOY, ran

PROMTOOL: Final = "KCL_TEST_PROMTOOL"
FOLDER: Final = DEPLOY / "prometheus"

pytestmark = pytest.mark.deploy


@pytest.fixture
def promtool() -> str:
    found = os.environ.get(PROMTOOL) or shutil.which("promtool")
    if found is None:
        pytest.skip(f"promtool is not installed, and {PROMTOOL} is not set")
    return found


def test_a_quiet_fleet_wakes_nobody_and_each_alarm_has_its_case(promtool: str) -> None:
    done = ran([promtool, "test", "rules", "kcl-alarms-test.yaml"], cwd=FOLDER)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("> 300", "> 60000"), ("> 2.5", "> 0.5"), ("unless", "and"), ("for: 15m", "for: 3h")],
)
def test_a_rule_that_is_wrong_is_noticed(
    promtool: str, tmp_path_factory: pytest.TempPathFactory, right: str, wrong: str
) -> None:
    folder = tmp_path_factory.mktemp("rules")
    for path in FOLDER.iterdir():
        shutil.copy(path, folder)
    rules = folder / "kcl-alarms.yaml"
    text = rules.read_text(encoding="utf-8")
    assert text.count(right) == 1
    rules.write_text(text.replace(right, wrong), encoding="utf-8")

    assert ran([promtool, "test", "rules", "kcl-alarms-test.yaml"], cwd=folder).returncode != 0
