"""Does the tutorial work as it is written? Every block of it, in one shell, on the engine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from kcl_py.aws.tools import scan_rows
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.errors import LeaseTableError
from tests.acceptance.test_tutorials import steps_of, walked
from tests.docs.pages import DOCS, Claim
from tests.docs.shell import PATIENCE_SECONDS, Shell, open_shell

LOOK_SECONDS = 0.1
PAGE = DOCS / "tutorials" / "first-hour.md"


def claimed_blocks() -> Iterator[Claim]:
    """The blocks that are typed here."""
    return walked(PAGE)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with open_shell(tmp_path) as opened:
        yield opened


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
    url = shell.type("echo $AWS_ENDPOINT_URL").strip()
    client = boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )

    said = []
    for block in steps_of(PAGE):
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
