"""Would the tests of the sinks notice a sink that leaves out one thing? Bugs are planted here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.pages import EXAMPLES, ROOT

PATIENCE_SECONDS = 120
SEEDS = 5


@dataclass(frozen=True)
class Bug:
    """One line of a sink, and what somebody might have written instead."""

    sink: str
    name: str
    right: str
    wrong: str


BUGS = [
    Bug("postgres", "token-unchecked", "and token = %(token)s and", "and"),
    Bug("postgres", "anybody-announces", "where progress.token <= excluded.token\n", ""),
    Bug("postgres", "position-ignored", " if record.position > self.done]", "]"),
    Bug(
        "dynamodb",
        "token-unchecked",
        "fencing_token = :token AND",
        "(fencing_token = :token OR fencing_token <> :token) AND",
    ),
    Bug(
        "dynamodb",
        "anybody-announces",
        "OR fencing_token <= :token",
        "OR fencing_token <= :token OR fencing_token > :token",
    ),
    Bug(
        "dynamodb",
        "position-uncompared",
        "AND done = :done",
        "AND (done = :done OR done <> :done)",
    ),
    Bug("dynamodb", "position-ignored", "if record.position > self.done:", "if record:"),
    Bug("s3", "unconditional", ', IfNoneMatch="*"', ""),
    Bug("s3", "token-unchecked", "if there != tags:", "if not there:"),
    Bug("s3", "anybody-announces", "if token > self.token:", "if token < 0:"),
    Bug("s3", "never-announced", 'self.write("", self.done)', "self.last = self.done"),
    Bug("s3", "position-ignored", "if record.position > self.done:", "if record:"),
]


def run_tests_of(sink: str, folder: Path) -> subprocess.CompletedProcess[str]:
    plugin = ["-p", "kcl_py.testing.pytest_plugin", "-p", "no:cacheprovider"]
    chosen = ["test_sinks.py", "-k", f"test_{sink}", "-x", f"--kcl-seeds={SEEDS}", "-rs"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, *chosen],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        timeout=PATIENCE_SECONDS,
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.sink}-{bug.name}")
def test_every_planted_bug_is_noticed(bug: Bug, tmp_path: Path) -> None:
    for program in EXAMPLES.glob("*.py"):
        shutil.copy(program, tmp_path)
    sink = tmp_path / f"sink_{bug.sink}.py"
    source = sink.read_text(encoding="utf-8")
    assert source.count(bug.right) == 1
    sink.write_text(source.replace(bug.right, bug.wrong), encoding="utf-8")

    done = run_tests_of(bug.sink, tmp_path)

    if " skipped" in done.stdout and "failed" not in done.stdout:
        pytest.skip(f"{bug.sink}: {done.stdout}")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "to repeat it: " in done.stdout, done.stdout  # a test has failed, nothing else
