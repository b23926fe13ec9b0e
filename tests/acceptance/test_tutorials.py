"""Do the five tutorials work as written, and their steps with what a reader may know already?

The same steps are done thrice: as the page shows them, as a plain boto3 program, and as commands of
the AWS CLI. The latter two know nothing of this package and run under `kcl local` as they are. The
AWS CLI comes from `.ci/engines`; without it those tests are skipped by name.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from kcl_py.aws.tools import scan_rows
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.errors import LeaseTableError
from tests.docs.pages import DOCS, EXAMPLES, ROOT, Block, Claim, blocks_of, claims
from tests.docs.shell import PATIENCE_SECONDS, SHELL, Shell, open_shell

HERE = Path(__file__).resolve().parent
PAGES = ("first-stream", "live-average", "resharding", "batches", "four-shards")
LOOK_SECONDS = 0.1
PROGRAM_SECONDS_MAX = 120
FAILED = "this failed: "

pytestmark = pytest.mark.slow


def pattern_of(text: str) -> re.Pattern[str]:
    """What a page says comes out; `...` is anything within a line, and lines may be left out."""
    lines = [re.escape(line).replace(re.escape("..."), ".*") for line in text.splitlines()]
    return re.compile(r"(?:.*\n)*?".join(f"^{line}\n" for line in lines), re.MULTILINE)


def steps_of(page: Path) -> list[Block]:
    """What is typed, seen and waited for once the shell is open."""
    blocks = blocks_of(page)
    begin = blocks.index(Block("sh", SHELL)) + 1
    return [block for block in blocks[begin:] if block.kind in ("sh", "text", "wait")]


def walked(page: Path) -> Iterator[Claim]:
    """The blocks that `run_page` goes through; the first of them opens the shell."""
    opening = next(block for block in blocks_of(page) if block == Block("sh", SHELL))
    return claims(page, [opening, *steps_of(page)])


def claimed_blocks() -> Iterator[Claim]:
    """The blocks that are run here, or compared with what came out."""
    for name in PAGES:
        yield from walked(DOCS / "tutorials" / f"{name}.md")


def run_page(page: Path, shell: Shell) -> str:
    """Type all that it shows; return what came out."""
    url = shell.type("echo $AWS_ENDPOINT_URL").strip()
    shell.type(f"trap 'echo \"{FAILED}$BASH_COMMAND\"' ERR")
    said = [""]
    for block in steps_of(page):
        if block.kind == "sh":
            said.append(shell.type(block.text))
        elif block.kind == "text":
            assert pattern_of(block.text).search(said[-1]), (block.text, said[-1])
        elif block.kind == "wait":
            wait_for_owners(url, "ages", int(block.text.removeprefix("owners=")))
    return "".join(said)


def wait_for_owners(url: str, app: str, wanted: int) -> None:
    """Wait until so many workers share the leases."""
    client: Any = boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    end = time.monotonic() + PATIENCE_SECONDS
    while (seen := count_owners(client, app)) != wanted:
        assert time.monotonic() < end, (wanted, seen)
        time.sleep(LOOK_SECONDS)


def count_owners(client: Any, app: str) -> int:
    try:
        rows = scan_rows(client, app)
    except LeaseTableError:
        return 0  # it is not there yet, or only just being made
    return len({row.actual_owner for row in rows if isinstance(row, LeaseRow)} - {None})


@pytest.mark.parametrize("name", PAGES)
def test_a_tutorial_goes_as_it_is_told(name: str, tmp_path: Path) -> None:
    with open_shell(tmp_path) as shell:
        said = run_page(DOCS / "tutorials" / f"{name}.md", shell)

    assert FAILED not in said


def test_what_a_page_shows_is_compared_with_what_came_out() -> None:
    shown = pattern_of("put 2 users\n... years\n")

    assert shown.search("one more line\nput 2 users\nand another\n47.3 years\n")
    assert not shown.search("put 20 users\n47.3 years\n")
    assert not shown.search("47.3 years\nput 2 users\n")


def test_a_command_that_fails_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"```sh\n{SHELL}```\n\n```sh\nkcl stream describe nothing 2> log\n```\n")

    with open_shell(tmp_path) as shell:
        said = run_page(page, shell)

    assert said == f"{FAILED}kcl stream describe nothing 2> log\n"


def test_there_is_a_program_and_a_script_for_each_tutorial() -> None:
    pages = {page.stem for page in (DOCS / "tutorials").glob("*.md")} - {"README", "first-hour"}
    names = {name.replace("-", "_") for name in PAGES}

    assert pages == set(PAGES)
    assert {path.stem for path in (HERE / "boto3_programs").glob("*.py")} == names
    assert {path.stem for path in (HERE / "aws_cli").glob("*.sh")} == names


# --------------------------------------------------------------- what knows nothing of this package


def run_local(folder: Path, *command: str, path: str | None = None) -> str:
    """Run a command under `kcl local`, in a folder that has the data of the examples."""
    shutil.copy(EXAMPLES / "questions.json", folder)
    environment = {**os.environ, "PATH": path or os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "kcl_py", "local", "--", *command],
        cwd=folder,
        env=environment,
        timeout=PROGRAM_SECONDS_MAX,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", PAGES)
def test_a_plain_boto3_program_does_the_same(name: str, tmp_path: Path) -> None:
    program = HERE / "boto3_programs" / f"{name.replace('-', '_')}.py"
    assert "kcl_py" not in program.read_text(encoding="utf-8")

    # -I: PYTHONPATH and this folder are not on its path.
    said = run_local(tmp_path, sys.executable, "-I", str(program))

    assert said.endswith("done\n")


@pytest.mark.parametrize("name", PAGES)
def test_commands_of_the_aws_cli_do_the_same(name: str, aws_cli: Path, tmp_path: Path) -> None:
    script = HERE / "aws_cli" / f"{name.replace('-', '_')}.sh"

    path = f"{aws_cli.parent}:{os.environ['PATH']}"
    said = run_local(tmp_path, "bash", str(script), path=path)

    assert said.endswith("done\n")
