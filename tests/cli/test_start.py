"""Does a command start without what it has no use for?"""

from __future__ import annotations

import atexit
import gc
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from kcl_py import __main__ as begin
from kcl_py.local.process import EngineProcess
from tests.cli.terminal import PATIENCE_SECONDS

HEAVY = {"boto3", "rich.console", "structlog", "tenacity"}
PROGRAM = """
import sys
from kcl_py.cli.main import main
assert main(sys.argv[1:]) == 0
print("\\n" + "\\n".join(sys.modules))
"""


def loaded(environment: Mapping[str, str], *arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    return HEAVY & set(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (("--help",), set()),
        (("tail", "--help"), set()),
        (("stream", "create", "--help"), set()),
        (("completion", "bash"), set()),
        (("decode",), set()),
        (("stream", "list"), {"boto3", "tenacity"}),
    ],
)
def test_a_command_loads_what_it_needs(
    engine: EngineProcess, arguments: tuple[str, ...], needed: set[str]
) -> None:
    assert loaded(engine.environment, *arguments) <= needed


@pytest.mark.parametrize("command", ["put", "run"])
def test_only_what_runs_code_of_yours_collects_garbage_as_ever(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_exit: list[object] = []
    monkeypatch.setattr(sys, "argv", ["kcl", command, "--help"])
    monkeypatch.setattr(atexit, "register", at_exit.append)
    before = gc.get_threshold()
    try:
        assert begin.main() == 0
        hurries = gc.get_threshold() != before
    finally:
        gc.set_threshold(*before)

    assert hurries == (command == "put")
    assert (gc.freeze in at_exit) == hurries
