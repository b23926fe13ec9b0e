"""Does the tutorial work as it is written? Every block of it, in one shell, on the engine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from kcl_py.aws.tools import scan_rows
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.errors import LeaseTableError
from tests.docs.pages import DOCS, EXAMPLES, ROOT, Block, blocks_of

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.1
SHELL = "kcl local -- bash\n"
COMMANDS = {"kcl": "-m kcl_py", "python": ""}


class Shell:
    """What `kcl local -- bash` opens, typed at by a program."""

    def __init__(self, folder: Path) -> None:
        programs = folder / "bin"
        programs.mkdir()
        for name, arguments in COMMANDS.items():
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
            program.chmod(0o755)
        self.folder = folder
        self._bash = subprocess.Popen(
            SHELL.split(),
            executable=programs / "kcl",
            cwd=folder,
            env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def type(self, text: str) -> str:
        """Run a block; return what it wrote to stdout."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        mark = uuid.uuid4().hex
        patience = threading.Timer(PATIENCE_SECONDS, self.kill)
        patience.start()
        try:
            self._bash.stdin.write(f"{text}\necho {mark}\n")
            self._bash.stdin.flush()
            lines: list[str] = []
            for line in self._bash.stdout:
                if mark in line:
                    return "".join(lines)
                lines.append(line)
        finally:
            patience.cancel()
        raise AssertionError(f"the shell ended in {text!r} after {lines}")

    def kill(self) -> None:
        """End everything that was started in the shell, and the shell."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)

    def close(self) -> None:
        """Leave nothing behind."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self.kill()
        self._bash.wait(PATIENCE_SECONDS)
        self._bash.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self._bash.stdin.close()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    for program in EXAMPLES.glob("*.py"):
        shutil.copy(program, tmp_path)
    opened = Shell(tmp_path)
    try:
        yield opened
    finally:
        opened.close()


def wait_until(facts: str, shell: Shell, client: Any) -> None:
    """Wait for facts such as `owners=2 lines=500`."""
    wanted = {name: int(number) for name, _, number in (f.partition("=") for f in facts.split())}
    end = time.monotonic() + PATIENCE_SECONDS
    while (seen := look(shell, client)) != wanted:
        assert time.monotonic() < end, (facts, seen, logs(shell))
        time.sleep(LOOK_SECONDS)


def look(shell: Shell, client: Any) -> Mapping[str, int]:
    """Who owns leases, and how many different lines are in the archive?"""
    files = (shell.folder / "archive").glob("*.jsonl")
    lines = {line for file in files for line in file.read_text().splitlines()}
    try:
        rows = scan_rows(client, "archive")
    except LeaseTableError:
        rows = []  # it is not there yet, or only just being made
    leases = [row for row in rows if isinstance(row, LeaseRow)]
    owners = {row.actual_owner for row in leases} - {None}
    return {"owners": len(owners), "lines": len(lines)}


def logs(shell: Shell) -> str:
    return "\n".join(path.read_text() for path in shell.folder.glob("*.log"))


@pytest.mark.slow
def test_the_first_hour_goes_as_it_is_told(shell: Shell) -> None:
    blocks = blocks_of(DOCS / "tutorial" / "first-hour.md")
    begin = blocks.index(Block("sh", SHELL)) + 1
    url = shell.type("echo $AWS_ENDPOINT_URL").strip()
    client = boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )

    said = []
    for block in blocks[begin:]:
        if block.kind == "sh":
            said.append(shell.type(block.text))
        elif block.kind == "wait":
            wait_until(block.text, shell, client)

    text = "".join(said)
    assert "put 500 people\n" in text
    assert "handoff.requested" in text
    assert "handoff.asked" in text
    assert "exit code 0\n" in text
    different, all_lines = (int(number) for number in said[-1].split())
    assert different == 1000
    assert all_lines >= different


def test_the_tutorial_installs_as_the_readme_does() -> None:
    first = blocks_of(DOCS / "tutorial" / "first-hour.md")[0]

    assert first.text.splitlines()[0] in (ROOT / "README.md").read_text(encoding="utf-8")
