"""Can the commands that take minutes, on the other pages, be typed as they are written?

They are not run here: `.ci/run` runs most of them, shorter. But each program and option must exist.
"""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import DOCS, ROOT, blocks_of

PAGES: Final = [
    *sorted((DOCS / "explanation").glob("*.md")),
    DOCS / "spec" / "README.md",
    DOCS / "contributing.md",
]
COMMANDS: Final = [
    (page, command.removeprefix("$ "))
    for page in PAGES
    for block in blocks_of(page)
    if block.kind in ("sh", "console")
    for line in block.text.splitlines()
    for command in line.partition("#")[0].split("&&")
    if line.startswith("$ ") or block.kind == "sh"
]
SECONDS_MAX: Final = 60.0


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
