"""How long does each kind of take-over take, on real processes? One fleet, many acts, one audit."""

from __future__ import annotations

import itertools
import signal
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kcl_py.cli.demo.world import World
from kcl_py.testing.audit.auditor import Takeover, Verdict
from tests.process.canary import Canary
from tests.process.fleets import finish, fleet, join

PATIENCE_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Times:
    """What one kind of act cost.

    Attributes:
        kind: kill, kills, sigterm, join, freeze or reshard.
        runs: Seconds of the slowest shard of each run.
    """

    kind: str
    runs: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    @property
    def longest(self) -> float:
        return max(self.runs)


@dataclass(slots=True)
class Campaign:
    """A fleet to which the same things are done again and again; each act leaves it settled.

    Attributes:
        labels: What the runs of each kind are called in the auditor's take-overs.
        canary: Its worst oversleep is known once the fleet has stopped.
    """

    world: World
    canary: Canary
    labels: dict[str, list[str]] = field(default_factory=dict)
    verdict: Verdict | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def kill(self) -> None:
        """`kill -9` of one worker; another takes its place afterwards."""
        self._kill("kill", 1)

    def kills(self) -> None:
        """`kill -9` of two workers at once."""
        self._kill("kills", 2)

    def _kill(self, kind: str, count: int) -> None:
        label = self._label(kind)
        for name in self._busiest(count):
            self.world.signal(name, signal.SIGKILL, label)
        self._settle()
        self._replace(count)

    def sigterm(self) -> None:
        """SIGTERM to one worker; another takes its place afterwards."""
        [name] = self._busiest(1)
        self.world.signal(name, signal.SIGTERM, self._label("sigterm"))
        assert self.world.workers[name].child.wait() == 0
        self._settle()
        self._replace(1)

    def join(self) -> None:
        """A worker joins and gets its share; one leaves afterwards."""
        label = self._label("join")
        join(self.world, label)
        self._settle(balanced=True)
        [name] = self._busiest(1)
        self.world.signal(name, signal.SIGTERM, f"leave {name}")
        assert self.world.workers[name].child.wait() == 0
        self._settle(balanced=True)

    def freeze(self) -> None:
        """SIGSTOP to one worker until others have its shards; then SIGCONT."""
        [name] = self._busiest(1)
        self.world.signal(name, signal.SIGSTOP, self._label("freeze"))
        self._settle()
        self.world.thaw(name)
        self._settle(balanced=True)

    def reshard(self) -> None:
        """A split, and a merge of its children."""
        self._label("reshard")
        neighbours = self.world.neighbours()
        self.world.split(neighbours[0][0])
        self._settle()
        self.world.merge(*self.world.neighbours()[0])
        self._settle(balanced=True)

    def times(self, kind: str) -> Times:
        """What the runs of this kind cost; after the fleet has stopped."""
        assert self.verdict is not None
        if kind == "reshard":
            return Times(kind, [start.since_parents for start in self.verdict.starts])
        return Times(kind, [max(self._of(kind, label)) for label in self.labels[kind]])

    def _of(self, kind: str, label: str) -> list[float]:
        assert self.verdict is not None
        return [_seconds(kind, move) for move in self.verdict.takeovers if _is_of(move, label)]

    def _label(self, kind: str) -> str:
        label = f"{kind}-{next(self._numbers)}"
        self.labels.setdefault(kind, []).append(label)
        return label

    def _busiest(self, count: int) -> list[str]:
        self.world.look()
        ranked = sorted(self.world.live, key=lambda name: len(self.world.leases_of(name)))
        return ranked[-count:]

    def _replace(self, count: int) -> None:
        join(self.world, *(f"new-{next(self._numbers)}" for _ in range(count)))
        self._settle(balanced=True)

    def _settle(self, *, balanced: bool = False) -> None:
        self.world.wait_settled(balanced=balanced, timeout=PATIENCE_SECONDS)


def _is_of(move: Takeover, label: str) -> bool:
    if label.startswith("join"):
        # The newcomer was told to end later on; what came to it before is the join.
        return move.new_worker.startswith(f"{label}-") and move.fault is None
    return move.fault == label


def _seconds(kind: str, move: Takeover) -> float:
    """From the fault on where there is one; on clean moves from the old processor's last return."""
    if kind in ("kill", "kills", "freeze"):
        assert move.since_fault is not None
        return move.since_fault
    return move.gap


@contextmanager
def campaign(
    directory: Path, *, duration: float, workers: int = 3, shards: int = 6
) -> Iterator[Campaign]:
    """Run a fleet, let the block do things to it, and audit it afterwards."""
    names = [f"first-{number}" for number in range(workers)]
    settings = {"leases.duration": f"{duration}s"}
    canary = Canary()
    with fleet(directory, *names, shards=shards, settings=settings) as world:
        with canary:
            running = Campaign(world, canary)
            yield running
        running.verdict = finish(world)
