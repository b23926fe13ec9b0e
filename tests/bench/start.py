"""How long does Python take to start with us? Next to the bare interpreter, in turns.

CPU and wall clock of whole processes, from fork to the end of waiting.
"""

from __future__ import annotations

import importlib.util
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Final

from tests.bench.children import CHILD_SECONDS_MAX, ROOT, ChildError
from tests.bench.figures import Figure, Report, Target
from tests.bench.session import Session

ROUNDS: Final = 40
ROUNDS_QUICK: Final = 12
BARE: Final = "the bare interpreter"
IMPORT: Final = "import kcl_py"
COMMANDS: Final = {
    BARE: ("-c", "pass"),
    IMPORT: ("-c", "import kcl_py"),
    "from kcl_py import Worker (boto3 and all)": ("-c", "from kcl_py import Worker"),
    "kcl --help": ("-m", "kcl_py", "--help"),
}
HEALTH: Final = "kcl_py.health"
IMPORT_MS_MAX: Final = 15.0
"""Promised over the bare interpreter."""


def run(session: Session) -> Report:
    """Start everything in turns, so that a busy moment of the machine hits all alike."""
    report = Report(name="start", title="Starting")
    commands = dict(COMMANDS)
    if importlib.util.find_spec(HEALTH) is None:
        report.skipped.append(f"python -m {HEALTH}: it does not exist yet")
    else:
        commands[f"python -m {HEALTH}"] = ("-m", HEALTH, "--help")
    session.say("start")
    rounds = ROUNDS_QUICK if session.quick else ROUNDS
    for arguments in commands.values():
        _start(arguments)  # files come into the cache, byte code is written
    found = [{name: _start(each) for name, each in commands.items()} for _ in range(rounds)]
    for index, kind in enumerate(("CPU", "wall clock")):
        bare = tuple(each[BARE][index] for each in found)
        report.figures.append(Figure(what=f"{BARE}, {kind}", unit="ms", samples=bare))
        for name in commands:
            if name == BARE:
                continue
            over = tuple(each[name][index] - each[BARE][index] for each in found)
            what = f"{name}, {kind} over {BARE}"
            report.figures.append(Figure(what=what, unit="ms", samples=over))
            if name == IMPORT:
                report.targets.append(
                    Target(what=what, samples=over, limit=IMPORT_MS_MAX, sense="at most", unit="ms")
                )
    return report


def _start(arguments: Sequence[str]) -> tuple[float, float]:
    """Return the CPU and the wall clock of one process, ms."""
    before, begun = _children(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=CHILD_SECONDS_MAX,
    )
    wall, cpu = time.perf_counter() - begun, _children() - before
    if done.returncode != 0:
        raise ChildError(f"python {' '.join(arguments)}: {done.stderr.decode()}")
    return cpu * 1000, wall * 1000


def _children() -> float:
    """Return the CPU of all children that have ended, seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
