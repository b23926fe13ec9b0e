"""Where is the AWS CLI? `.ci/engines` puts it into an environment of its own."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

AWS_CLI = "KCL_TEST_AWS_CLI"

_skipped: Counter[str] = Counter()


@pytest.fixture
def aws_cli() -> Path:
    """The program; skipped by name where there is none."""
    path = os.environ.get(AWS_CLI)
    if not path:
        why = f"the AWS CLI is not there: {AWS_CLI} is not set"
        _skipped[why] += 1
        pytest.skip(why)
    return Path(path)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left out, in one line each."""
    for why, count in sorted(_skipped.items()):
        terminalreporter.write_line(f"skipped {count} acceptance tests: {why}")
