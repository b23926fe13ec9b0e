"""Where is the AWS CLI? `.ci/engines` puts it into an environment of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.skips import tell_skips

AWS_CLI = "KCL_TEST_AWS_CLI"


@pytest.fixture
def aws_cli() -> Path:
    """The program; skipped by name where there is none."""
    path = os.environ.get(AWS_CLI)
    if not path:
        pytest.skip(f"the AWS CLI is not there: {AWS_CLI} is not set")
    return Path(path)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left out, in one line each."""
    tell_skips(terminalreporter, Path(__file__).parent)
