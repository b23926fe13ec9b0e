"""Can the commands on the pages that explain be typed as they are written?

What takes a second is typed. Simulations of many seeds are run with fewer, the same words else. The
model needs its engines: `.ci/run` types that block. A run of chaos is typed in `tests/process`.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import DOCS, ROOT, Block, Claim, blocks_of, claims

SECONDS_MAX: Final = 60.0
PAGES: Final = [
    *sorted((DOCS / "explanation").glob("*.md")),
    DOCS / "spec" / "README.md",
    DOCS / "contributing.md",
]
BLOCKS: Final = [
    (page, block) for page in PAGES for block in blocks_of(page) if block.kind in ("sh", "console")
]


def commands_in(block: Block) -> list[str]:
    """What is typed, command by command; of a console only what stands behind a prompt."""
    lines = [line.removeprefix("$ ") for line in block.text.splitlines()]
    return [command.strip() for line in lines for command in line.partition("#")[0].split("&&")]


COMMANDS: Final = [(page, command) for page, block in BLOCKS for command in commands_in(block)]

SIMULATE: Final = "python -m kcl_py.testing simulate "
SHORTER: Final = {
    "--seeds 1000": "--seeds 2",
    "--seeds 500 --first -1": "--seeds 2 --first 7",  # no fresh ones: .ci/run has those
    "--shrink ": "",  # that seed keeps all promises: tests/seeds shrinks some that do not
    "NAME.json": "name.json",
}


EXPLANATION: Final = DOCS / "explanation"
MODEL: Final = DOCS / "spec" / "README.md"
SAYS: Final = {
    EXPLANATION / "mutants.md": "1 planted bug, 0 survived",
    EXPLANATION / "performance.md": "| a guarded record | at most 0.15 µs |",
    EXPLANATION / "scale.md": "Cost of a steady fleet",
}
"""What a command that takes a second says if it went well."""


def claimed_blocks() -> Iterator[Claim]:
    """The blocks that are run here, and the one that `.ci/run` runs."""
    for page, block in BLOCKS:
        if all(command.startswith(SIMULATE) for command in commands_in(block)):
            yield from claims(page, [block])
    for page in (*SAYS, MODEL):
        yield from claims(page, only_block(page))


def only_block(page: Path) -> list[Block]:
    """The block of a page that has one."""
    blocks = [block for block in blocks_of(page) if block.kind == "sh"]
    assert len(blocks) == 1, page
    return blocks


@pytest.mark.parametrize("page", SAYS, ids=lambda page: page.stem)
def test_a_command_of_a_second_is_typed(page: Path) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", only_block(page)[0].text],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert SAYS[page] in done.stdout


def test_ci_types_what_the_page_of_the_model_says() -> None:
    directive = "# shellcheck source=/dev/null\n"
    typed = (ROOT / ".ci" / "run").read_text(encoding="utf-8").replace(directive, "")

    assert f"() {{ # as above\n{only_block(MODEL)[0].text}}}\nthe_model_as_" in typed


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", sorted({each for _, each in COMMANDS if each.startswith(SIMULATE)})
)
def test_worlds_are_simulated_as_the_page_shows(command: str, tmp_path: Path) -> None:
    (tmp_path / "tests" / "seeds").mkdir(parents=True)
    for written, shorter in SHORTER.items():
        command = command.replace(written, shorter)
    done = subprocess.run(
        [sys.executable, *shlex.split(command)[1:]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "kept all promises" in done.stdout or ", 0 failed;" in done.stdout


def help_of(words: list[str]) -> str:
    """What a program of ours says of its options."""
    done = subprocess.run(
        [sys.executable, *words, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda part: str(part)[-40:])
def test_what_it_names_is_there(page: Path, command: str) -> None:
    words = shlex.split(command)
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    match words:
        case ["python", "-m", "tests.bench" | "tests.chaos" as module, *_]:
            assert options <= set(re.findall(r"--[a-z-]+", help_of(["-m", module])))
        case ["python", "-m", "kcl_py.testing", verb, *_]:
            known = re.findall(r"--[a-z-]+", help_of(["-m", "kcl_py.testing", verb]))
            assert options <= set(known)
        case [".venv/bin/pytest", *arguments]:
            assert all((ROOT / each).exists() for each in arguments if each.startswith("tests"))
            marks = [mark for flag, mark in itertools.pairwise(words) if flag == "-m"]
            registered = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
            assert all(f'"{mark}:' in registered for mark in marks)
        case [".ci/engines" as program, verb, *_]:
            assert f'{verb} DIR")' in (ROOT / program).read_text(encoding="utf-8")
        case [".", _]:
            pass  # what the engines' installer has written
        case ["python3", "-m", "venv", _] | [".venv/bin/pip", *_]:
            assert command.strip() in (ROOT / "README.md").read_text(encoding="utf-8")
        case _:
            pytest.fail(f"{page.name} has a command that nothing checks: {command}")
