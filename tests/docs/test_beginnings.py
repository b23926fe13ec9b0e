"""Do the first lines of the README and of the tutorials work? Typed as they are, in a clone.

Making the environment needs an index of packages, so `.ci/run` does that, in a clean clone. Here
its `activate` leads to the Python of the tests; all that follows is typed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import DOCS, EXAMPLES, ROOT, Block, Claim, blocks_of, claims
from tests.docs.shell import COMMANDS, PATIENCE_SECONDS, SHELL, SUFFIXES

README: Final = [block for block in blocks_of(ROOT / "README.md") if block.kind == "sh"]
DEMO, TESTS, AT_HOME, ON_AWS = README
CI: Final = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

TUTORIALS: Final = DOCS / "tutorials" / "README.md"
FIRST_HOUR: Final = DOCS / "tutorials" / "first-hour.md"
CONTRIBUTING: Final = DOCS / "contributing.md"
BEGINNINGS: Final = [blocks_of(page)[0] for page in (TUTORIALS, FIRST_HOUR)]

PEOPLE: Final = 10


def claimed_blocks() -> Iterator[Claim]:
    """What is typed here, and what `.ci/run` runs."""
    yield from claims(ROOT / "README.md", README)
    for page in (TUTORIALS, FIRST_HOUR, CONTRIBUTING):
        yield from claims(page, blocks_of(page)[:1])


@pytest.mark.parametrize("block", [DEMO, TESTS], ids=["demo", "tests"])
def test_ci_runs_the_two_commands_of_the_readme(block: Block) -> None:
    assert f"\n{block.text}" in CI


def test_other_pages_set_up_as_the_readme_does() -> None:
    assert blocks_of(CONTRIBUTING)[0].text == TESTS.text
    install, _, demo = DEMO.text.rpartition(" && ")
    assert demo == ".venv/bin/kcl demo\n"
    assert {block.text.splitlines()[0] for block in BEGINNINGS} == {install}


class Clone:
    """A folder that has what a reader has after the installation, and a shell in it."""

    def __init__(self, folder: Path) -> None:
        programs = folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        (programs / "activate").write_text(f'PATH="{programs}:$PATH"\n')
        for name, arguments in COMMANDS.items():
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
            program.chmod(0o755)
        examples = folder / "docs" / "examples"
        examples.mkdir(parents=True)
        for path in EXAMPLES.iterdir():
            if path.suffix in SUFFIXES:
                shutil.copy(path, examples)
        self.shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.patience = threading.Timer(PATIENCE_SECONDS, self.signal, [signal.SIGKILL])
        self.patience.start()

    def type(self, text: str) -> None:
        """Type all that is ever typed."""
        assert self.shell.stdin is not None
        self.shell.stdin.write(text)
        self.shell.stdin.close()

    def lines(self) -> Iterator[str]:
        """What is said, line by line, to the end."""
        assert self.shell.stdout is not None
        return iter(self.shell.stdout.readline, "")

    def signal(self, number: int) -> None:
        """Send everything in the shell a signal, as a terminal does at Ctrl-C."""
        os.killpg(self.shell.pid, number)

    def close(self) -> None:
        """Leave nothing behind."""
        self.patience.cancel()
        assert self.shell.stdout is not None
        self.shell.stdout.close()
        if self.shell.poll() is None:
            self.signal(signal.SIGKILL)
        self.shell.wait(PATIENCE_SECONDS)


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    made = Clone(tmp_path)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.slow
def test_the_readme_greets_everybody_and_ctrl_c_drains(clone: Clone) -> None:
    clone.type(f"{AT_HOME.text}echo code $?\nexit\necho outside $?\n")

    said = ""
    for line in clone.lines():
        said += line  # threads print at the same time, so a line may hold two greetings
        if said.count("hello ") == PEOPLE:
            clone.signal(signal.SIGINT)
            break
    rest = "".join(clone.lines())

    assert said.startswith(f"put {PEOPLE} people\n")
    assert rest.endswith("code 0\noutside 0\n"), rest


def test_on_aws_it_is_the_same_command() -> None:
    assert AT_HOME.text.endswith(f"\n{ON_AWS.text}")


@pytest.mark.slow
@pytest.mark.parametrize("block", BEGINNINGS, ids=["tutorials", "first-hour"])
def test_a_tutorial_begins_as_it_is_told(block: Block, clone: Clone) -> None:
    typed = block.text.partition("\n")[2]
    open_a_shell = "" if typed.endswith(SHELL) else SHELL

    clone.type(f"{typed}{open_a_shell}echo $AWS_ENDPOINT_URL\nls put_people.py\nexit\n")

    address, program = clone.lines()
    assert address.startswith("http://127.0.0.1:")
    assert program == "put_people.py\n"
