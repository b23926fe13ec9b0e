"""How does a benchmark watch a worker in a child process? It asks, but not while it measures."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from tests.bench.children import ROOT, STOP_SECONDS_MAX, ChildError
from tests.piped import start_piped

ANSWER_SECONDS_MAX: Final = 30.0
SETTLE_SECONDS_MAX: Final = 180.0
LOOK_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a worker said of itself; see `tests.bench.workers.look`.

    Attributes:
        before: CPU and wall clock as the question came, seconds.
        records: So many were looked at since the start.
        lost: So many leases were lost, or processors fenced, since the start.
        waits: Seconds from put to processor of each record since the last look.
        held: Leases.
        reading: Leases whose shard has been read.
        at_tip: Leases whose shard has nothing more at this moment.
        fence_in: Seconds until the next fence of any of them.
        after: As `before`, as the answer was ready.
    """

    before: Sequence[float]
    records: int
    lost: int
    waits: Sequence[float] = field(repr=False)
    state: str
    held: int
    reading: int
    at_tip: int
    fence_in: float
    rss_mib: float
    rss_mib_max: float
    after: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What happened between two looks; seconds."""

    cpu: float
    wall: float
    records: int
    lost: int

    @property
    def percent(self) -> float:
        """CPU as a part of one core."""
        return self.cpu / self.wall * 100


def between(first: Look, last: Look) -> Spent:
    """Return what was spent between two looks, without what looking cost."""
    return Spent(
        cpu=last.before[0] - first.after[0],
        wall=last.before[1] - first.after[1],
        records=last.records - first.records,
        lost=last.lost - first.lost,
    )


class Watched:
    """One worker in a process of its own.

    Args:
        processor: Of `tests.bench.workers`.
        app: Name of the application.
        environment: A whole one.
        options: Of `tests.bench.workers`.
    """

    def __init__(
        self, processor: str, app: str, environment: Mapping[str, str], **options: int
    ) -> None:
        self._command = [sys.executable, "-m", "tests.bench.workers", processor, "--app", app]
        for name, value in options.items():
            self._command += [f"--{name.replace('_', '-')}", str(value)]
        self._environment = dict(environment)
        self._process: subprocess.Popen[str] | None = None
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process

    def __enter__(self) -> Self:
        self._process = start_piped(
            self._command, cwd=ROOT, env=self._environment, stderr=self._said
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.kill()  # its leases go with the server
        self._process.communicate(timeout=STOP_SECONDS_MAX)
        self._said.close()

    def look(self) -> Look:
        """Ask it.

        Raises:
            ChildError: It does not answer any more; with what it said.
        """
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write("look\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise self._failed("has ended") from None
        if not select.select([process.stdout], [], [], ANSWER_SECONDS_MAX)[0]:
            raise self._failed(f"does not answer within {ANSWER_SECONDS_MAX:g} s")
        line = process.stdout.readline()
        if not line:
            raise self._failed("has ended")
        found: dict[str, Any] = json.loads(line)
        return Look(**found)

    def _failed(self, why: str) -> ChildError:
        self._said.seek(0)
        return ChildError(f"a worker {why}: {self._said.read()[-4000:]}")


def settle(
    workers: Sequence[Watched], is_settled: Callable[[Sequence[Look]], bool], seconds: float
) -> None:
    """Wait until the workers are as they should be, and so many seconds longer.

    Raises:
        ChildError: They are not, after minutes.
    """
    patience = time.monotonic() + SETTLE_SECONDS_MAX
    while not is_settled(looks := [worker.look() for worker in workers]):
        if time.monotonic() > patience:
            raise ChildError(f"the workers do not settle: {looks}")
        time.sleep(LOOK_SECONDS)
    time.sleep(seconds)


def all_read(shards: int) -> Callable[[Sequence[Look]], bool]:
    """Return a test: all shards are read, and everybody has a fair share of them."""

    def is_settled(looks: Sequence[Look]) -> bool:
        held = [look.held for look in looks]
        return (
            all(look.state == "running" and look.reading == look.held for look in looks)
            and sum(held) == shards
            and max(held) - min(held) <= 1
        )

    return is_settled
