"""Does the tree keep the house rules that no linter knows?"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE_FILES = sorted((ROOT / "kcl_py").rglob("*.py"))
TEST_FILES = sorted((ROOT / "tests").rglob("*.py"))
FILE_LINES_MAX = 400
TEST_FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 50
TOP_LEVEL = {"LICENSE", "README.md", "deploy", "docs", "kcl_py", "pyproject.toml", "tests"}
MACHINE_PATH = re.compile(r"(?<![\w.:/~}$<>-])/(?:home|root|Users|work|opt|var/folders)/\w")
EXCEPTIONS: frozenset[str] = frozenset()
"""`path` or `path::function`. Empty at every release."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def functions_of(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def length_of(function: Function) -> int:
    """Lines without decorators and docstring."""
    length = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        docstring = function.body[0]
        length -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return length


def tracked_files() -> list[str]:
    answer = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, check=False, text=True
    )
    if answer.returncode != 0:
        pytest.skip("not a git checkout")
    return answer.stdout.splitlines()


def test_files_are_short() -> None:
    long = [name_of(path) for path in PACKAGE_FILES if lines_of(path) > FILE_LINES_MAX]
    long += [name_of(path) for path in TEST_FILES if lines_of(path) > TEST_FILE_LINES_MAX]

    assert set(long) - EXCEPTIONS == set()


def test_functions_are_short() -> None:
    long = {
        f"{name_of(path)}::{function.name}"
        for path in PACKAGE_FILES
        for function in functions_of(path)
        if length_of(function) > FUNCTION_LINES_MAX
    }

    assert long - EXCEPTIONS == set()


def test_every_module_says_which_question_it_answers() -> None:
    silent = [
        name_of(path)
        for path in PACKAGE_FILES + TEST_FILES
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert silent == []


def test_the_list_of_exceptions_is_empty() -> None:
    assert len(EXCEPTIONS) == 0


def test_the_top_level_holds_only_what_was_agreed() -> None:
    top = {name.partition("/")[0] for name in tracked_files()}

    assert {name for name in top if not name.startswith(".")} <= TOP_LEVEL


def test_nothing_names_a_path_of_one_machine() -> None:
    naming = []
    for name in tracked_files():
        path = ROOT / name
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        if path != Path(__file__) and MACHINE_PATH.search(text):
            naming.append(name)

    assert naming == []
