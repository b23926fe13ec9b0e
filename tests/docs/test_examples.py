"""Do the programs of the documentation run, and does it show nothing else?"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from kcl_py import WorkerEvent
from kcl_py.local import Engine
from kcl_py.testing import run_processor
from tests.docs.pages import EXAMPLES, ROOT, Block, Claim, blocks_of_kind, claims, name_of

PATIENCE_SECONDS = 240
SEEDS = 3
PEOPLE = [{"name": name, "age": age} for name, age in (("Ada", 36), ("Alan", 41), ("Grace", 85))]


TESTS_OF_EXAMPLES = [Path(__file__), ROOT / "tests" / "producer" / "test_threads.py"]
PYTHON = list(blocks_of_kind("python"))


def claimed_blocks() -> Iterator[Claim]:
    """The programs, which are parts of examples that run."""
    for page, block in PYTHON:
        yield from claims(page, [block])


def environment() -> dict[str, str]:
    known = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), known])}


def id_of(part: Path | Block) -> str:
    return name_of(part) if isinstance(part, Path) else str(part.number)


def run_examples() -> set[str]:
    """The examples that something runs: typed on a page, imported by a test, or a test."""
    commands = "\n".join(block.text for _, block in blocks_of_kind("sh"))
    tests = [path for path in EXAMPLES.glob("*.py") if path.name.startswith(("test_", "conftest"))]
    texts = [path.read_text(encoding="utf-8") for path in [*tests, *TESTS_OF_EXAMPLES]]
    imported = {
        name
        for text in texts
        for name in re.findall(r"^ *(?:import|from) (\w+)", text, re.MULTILINE)
    }
    started = {name for text in texts for name in re.findall(r'"(\w+)\.py"', text)}
    typed = set(re.findall(r"\b(?:python (\w+)\.py|kcl run (\w+):\w)", commands))
    names = imported | started | {name for pair in typed for name in pair if name}
    return {f"{name}.py" for name in names} | {path.name for path in tests}


def is_part(text: str, program: str) -> bool:
    """Say whether a program has these lines, as they are or inside a class or a method."""
    return any(textwrap.indent(text, " " * depth) in program for depth in (0, 4, 8))


@pytest.mark.parametrize(("page", "block"), PYTHON, ids=id_of)
def test_every_program_on_a_page_is_part_of_an_example_that_runs(page: Path, block: Block) -> None:
    programs = {path: path.read_text(encoding="utf-8") for path in EXAMPLES.glob("*.py")}

    shown = {path.name for path, program in programs.items() if is_part(block.text, program)}
    assert shown, f"{page.name} shows what no example has:\n{block.text}"
    assert shown & run_examples(), f"{shown}: nothing runs any of them"


@pytest.mark.slow
def test_the_tests_of_the_examples_pass(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            # By name, so that it is the one beside these tests, whatever is installed.
            *("-p", "kcl_py.testing.pytest_plugin", f"--kcl-seeds={SEEDS}"),
            f"--basetemp={tmp_path}",
        ],
        cwd=EXAMPLES,
        env={**environment(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        timeout=PATIENCE_SECONDS,
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["count", "greet", "ages", "Sender"])
def test_every_way_to_write_a_processor_works(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("AGES", str(tmp_path / "ages.sqlite"))
    monkeypatch.delitem(sys.modules, "ways", raising=False)
    import ways  # type: ignore[import-not-found]  # an example, found by the line above

    run = run_processor(getattr(ways, name), PEOPLE)

    assert run.shard_ended, run.transcript
    assert len(run.delivered) == len(PEOPLE)


def test_a_configured_worker_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import configured  # type: ignore[import-not-found]  # as above

    made: list[str] = []
    monkeypatch.setattr(configured.Worker, "run", lambda worker: made.append(worker.worker_id))
    configured.main()

    assert made[0].startswith("greeter-")


def test_a_worker_leaves_when_somebody_makes_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("DRAIN_FILE", str(tmp_path / "drain"))
    import leaving  # type: ignore[import-not-found]  # as above

    made: list[str] = []
    monkeypatch.setattr(leaving.Worker, "run", lambda worker: made.append(worker.status().state))
    leaving.main()
    assert made == ["new"]
    source = leaving.DrainFile(tmp_path / "drain")
    assert source.ask() is None
    (tmp_path / "drain").touch()
    assert source.ask().action == "drain"


def test_the_listener_on_the_page_counts_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import configured

    configured.seen.clear()
    for name in ("lease.taken", "lease.taken", "lease.lost"):
        configured.note(WorkerEvent(name=name, at=1.0, lease_key="shardId-000000000000", fields={}))

    assert configured.seen == {"lease.taken": 2, "lease.lost": 1}


def test_a_hook_is_told_of_what_a_stream_that_is_not_there_cost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import produce  # type: ignore[import-not-found]  # as above

    with Engine() as engine:
        for name, value in engine.environment.items():
            monkeypatch.setenv(name, value)
        produce.put_with_hook("nowhere")

    said = capsys.readouterr().out
    assert said == "not delivered: ResourceNotFoundException 14 bytes\n"


@pytest.mark.parametrize("name", ["failing_orders", "leaving"])
def test_a_program_makes_its_worker(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    program = importlib.import_module(name)
    made: list[str] = []
    monkeypatch.setattr(program.Worker, "run", lambda worker: made.append(worker.status().state))

    program.main()

    assert made == ["new"]


def test_a_worker_that_is_told_to_leave_greets_as_long_as_it_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import leaving

    run = run_processor(leaving.greet, ["Ada", "Alan"])

    assert run.shard_ended, run.transcript
    assert capsys.readouterr().out == "hello Ada\nhello Alan\n"
