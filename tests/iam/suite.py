"""Which AWS calls of ours does the whole test suite make, and does a policy allow each?

With KCL_TEST_RECORD_CALLS=FOLDER every engine of the tests, in this process or in one of its own,
notes there what our clients call; they are told from those of tests by their user agent. Then
`python -m tests.iam.suite FOLDER` compares. The engine of `kcl local` as a command is not seen.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from kcl_py.iam import GRANTS, Needs
from kcl_py.local import process
from kcl_py.local.__main__ import main as serve
from kcl_py.local.faults import Asked
from kcl_py.local.front import Front, HttpRequest

VARIABLE: Final = "KCL_TEST_RECORD_CALLS"
OURS: Final = "lib/kcl_py"
ENGINE: Final = "kcl_py.local"
NOT_THE_ENGINE: Final = frozenset({Needs.METRICS, Needs.GROUP, Needs.QUEUE, Needs.BUCKET})
"""The engine is Kinesis and DynamoDB; what others are asked has tests of its own."""

ON_THE_MACHINE: Final = frozenset({"kinesis:DescribeStream"})
"""The waiter of `kcl demo`, which talks to an engine of its own and to nobody else."""

ROOT: Final = Path(__file__).resolve().parents[2]


def record(folder: Path) -> None:
    """Let every engine of this process note what is called, once each."""
    folder.mkdir(parents=True, exist_ok=True)
    seen: set[str] = set()
    read = Front._read

    def noted(front: Front, http: HttpRequest) -> Asked:
        asked = read(front, http)
        action = f"{asked.service}:{asked.operation}"
        if action not in seen and OURS in http.headers.get("user-agent", ""):
            seen.add(action)
            with (folder / f"{os.getpid()}.txt").open("a", encoding="utf-8") as file:
                file.write(f"{action}\n")
        return asked

    Front._read = noted  # type: ignore[assignment,method-assign]  # what a recorder is


def record_children() -> None:
    """Let engines in processes of their own do the same: they are started by this file."""
    start = subprocess.Popen
    folder = os.environ[VARIABLE]  # a test may take it away

    def started(command: Any, **settings: Any) -> Any:
        if ENGINE in command:
            command = ["tests.iam.suite" if part == ENGINE else part for part in command]
            settings["env"] = {**os.environ, VARIABLE: folder, "PYTHONPATH": str(ROOT)}
        return start(command, **settings)

    class Recorded:
        """`subprocess`, as `process.py` uses it."""

        Popen = staticmethod(started)
        PIPE = subprocess.PIPE
        TimeoutExpired = subprocess.TimeoutExpired

    vars(process)["subprocess"] = Recorded


def complaints(called: Iterable[str]) -> list[str]:
    """What is called and in no policy, and what is in a policy of ours and never called."""
    known = {action for grant in GRANTS for action in grant.actions}
    ours = {
        action
        for grant in GRANTS
        if not grant.by_service and grant.needs not in NOT_THE_ENGINE
        for action in grant.actions
    }
    called = set(called)
    return [
        f"{action} is called, and in no policy"
        for action in sorted(called - known - ON_THE_MACHINE)
    ] + [f"{action} is in a policy, and never called" for action in sorted(ours - called)]


def judge(folder: Path) -> int:
    files = list(folder.glob("*.txt"))
    called = {line for file in files for line in file.read_text(encoding="utf-8").split()}
    found = complaints(called)
    said = "\n".join(found) or "each is in a policy, and every policy is used"
    sys.stdout.write(f"{len(called)} actions, called in {len(files)} processes: {said}\n")
    return 1 if found else 0


if __name__ == "__main__":
    if VARIABLE in os.environ and sys.argv[1:2] != [os.environ[VARIABLE]]:
        record(Path(os.environ[VARIABLE]))
        sys.exit(serve())
    sys.exit(judge(Path(sys.argv[1])))
