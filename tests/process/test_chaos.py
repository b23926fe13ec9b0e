"""Does a short chaos run end well, end in time, leave nothing behind, and notice broken workers?

The long ones are for people and machines with time: `python -m tests.chaos --minutes 10`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kcl_py.cli.demo.fleet import wait_until
from tests.chaos.play import EXTRA_SECONDS_MAX
from tests.docs.pages import DOCS, ROOT, Claim, blocks_of, claims

pytestmark = pytest.mark.process

MINUTES = 0.3
PATIENCE = 60 * MINUTES + EXTRA_SECONDS_MAX


PAGE = DOCS / "explanation" / "chaos.md"
BLOCK = blocks_of(PAGE)[0]


def claimed_blocks() -> Iterator[Claim]:
    """The command of the page about chaos."""
    yield from claims(PAGE, [BLOCK])


def chaos(directory: Path, *flags: str) -> list[str]:
    return [
        *(sys.executable, "-m", "tests.chaos", "--json", "--quiet"),
        *(f"--minutes={MINUTES}", f"--keep={directory}", *flags),
    ]


def run(directory: Path, *flags: str) -> tuple[int, dict[str, Any]]:
    ended = subprocess.run(
        chaos(directory, *flags), stdout=subprocess.PIPE, timeout=PATIENCE, check=False
    )
    figures: dict[str, Any] = json.loads(ended.stdout)
    return ended.returncode, figures


def processes_naming(text: str) -> list[str]:
    """Command lines of processes of this machine in which the text occurs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


def test_the_page_is_typed_and_every_promise_is_kept() -> None:
    ended = subprocess.run(
        ["bash", "-c", BLOCK.text],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    lines = ended.stdout.splitlines()
    figures = {name: rest.strip() for name, _, rest in (line.partition(" ") for line in lines)}

    assert ended.returncode == 0, ended.stdout
    assert {"0"} == {figures[name] for name in ("lost", "overlaps", "violations")}
    assert figures["written"] == figures["processed"]
    assert int(figures["written"]) > 500
    assert float(BLOCK.text.split("--minutes ")[1].split()[0]) == MINUTES


def test_a_rough_run_keeps_every_promise(tmp_path: Path) -> None:
    code, figures = run(tmp_path, "--seed=12", "--rough")

    assert figures["what"] == []
    assert code == 0
    assert figures["written"] == figures["processed"] > 500
    assert sum(figures["deeds"].values()) >= 5
    assert processes_naming(str(tmp_path)) == []


@pytest.mark.parametrize(
    ("plant", "says"),
    [
        ("steal", "had begun"),
        ("skip", "was never finished by user code"),
        ("leave-behind", "left its row behind"),
    ],
)
def test_broken_workers_are_noticed(tmp_path: Path, plant: str, says: str) -> None:
    code, figures = run(tmp_path, "--seed=13", f"--plant={plant}")

    assert code == 1
    assert any(says in violation for violation in figures["what"])


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks into /proc")
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)],
    ids=["SIGTERM", "SIGKILL"],
)
def test_a_run_that_is_ended_leaves_no_process(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    running = subprocess.Popen(chaos(tmp_path, "--seed=14"))
    try:
        wait_until(
            lambda: (
                len(processes_naming(str(tmp_path))) > 1
                and len(list(tmp_path.glob("*.ready.json"))) > 1
            ),
            "two workers are ready",
            timeout=PATIENCE,
        )
        running.send_signal(number)
        assert running.wait(timeout=PATIENCE) == code
    finally:
        running.kill()
        running.wait()

    wait_until(lambda: not processes_naming(str(tmp_path)), "all have ended", timeout=30.0)
