"""Do the programs of the documentation run, and does it show nothing else?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from kcl_py.testing import run_processor
from tests.docs.pages import EXAMPLES, PAGES, ROOT, blocks_of

PATIENCE_SECONDS = 240
SEEDS = 3
PEOPLE = [{"name": name, "age": age} for name, age in (("Ada", 36), ("Alan", 41), ("Grace", 85))]


def environment() -> dict[str, str]:
    known = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), known])}


def is_part(text: str, program: str) -> bool:
    """Say whether a program has these lines, as they are or inside a class or a method."""
    return any(textwrap.indent(text, " " * depth) in program for depth in (0, 4, 8))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_program_on_a_page_is_part_of_an_example(page: Path) -> None:
    programs = [path.read_text(encoding="utf-8") for path in EXAMPLES.glob("*.py")]

    strange = [
        block.text
        for block in blocks_of(page)
        if block.kind == "python" and not any(is_part(block.text, program) for program in programs)
    ]
    assert strange == []


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


@pytest.mark.slow
def test_the_readme_greets_everybody_and_stops_cleanly() -> None:
    readme = [block.text for block in blocks_of(ROOT / "README.md") if block.kind == "sh"]
    put, run = "python put_people.py 10", "kcl run people:Greeter --app greeter --stream people"
    assert any(f"{put}\n{run}" in text for text in readme)
    ours = f"{sys.executable} -m kcl_py"
    python = put.replace("python", sys.executable)
    script = f"{python} && exec {run.replace('kcl', ours, 1)}"
    child = subprocess.Popen(
        [*ours.split(), "local", "--", "sh", "-c", script],
        cwd=EXAMPLES,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    patience = threading.Timer(PATIENCE_SECONDS, child.kill)
    patience.start()
    try:
        assert child.stdout is not None
        said = ""
        while said.count("hello ") < 10 and (line := child.stdout.readline()):
            said += line  # threads print at the same time, so a line may hold two greetings
        child.send_signal(signal.SIGTERM)
        returned = child.wait(PATIENCE_SECONDS)
        child.stdout.close()
    finally:
        patience.cancel()
        child.kill()

    assert said.startswith("put 10 people\n")
    assert said.count("hello ") == 10
    assert returned == 0


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
