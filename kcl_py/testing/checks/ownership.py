"""Is there ever more than one processor of a shard? I1, and the rules that keep it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcl_py.core import commands
from kcl_py.core.events import (
    CallReturned,
    FetchFailed,
    OwnedFound,
    PageFetched,
    RowsRead,
    RowsScanned,
    ScanEnded,
    WallRead,
    Woken,
)
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.core.leases.writes import GIVES, WriteKind
from kcl_py.testing.sim.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kcl_py.core.events import Event
    from kcl_py.core.ports import Epoch
    from kcl_py.testing.sim.heap import EventHeap
    from kcl_py.testing.sim.table import Change
    from kcl_py.testing.sim.worker import SimWorker

_EXTENDS = frozenset({WriteKind.TAKE, WriteKind.RENEW, WriteKind.CANCEL})
_TOLERANCE = 1e-6
_ABOUT_NO_LEASE = frozenset(
    {
        CallReturned,
        FetchFailed,
        OwnedFound,
        PageFetched,
        RowsRead,
        RowsScanned,
        ScanEnded,
        WallRead,
        Woken,
    }
)
"""When nothing follows from one of these, no lease was won, renewed or given away."""

NEVER = float("-inf")


@dataclass(slots=True)
class Claim:
    """A worker takes itself for the owner.

    Attributes:
        fence: On its own clock.
        until: The same as true time.
        epoch: As its core has it.
    """

    token: int
    fence: float
    until: float
    epoch: Epoch


class OwnershipChecker(Watcher):
    """I1: at any true time at most one worker is inside its own fence for a shard.

    A worker is inside while its core holds the lease, or while user code of it may act. Besides:
    fences count from the send of a write that was applied; nothing is given away or taken while
    user code of the shard runs; a token names one epoch of one worker.
    """

    judged = frozenset({commands.WriteRow, commands.StartRun, commands.MoveFence})

    def __init__(self, heap: EventHeap) -> None:
        self._heap = heap
        self._claims: dict[str, dict[SimWorker, Claim]] = {}
        self._held: dict[SimWorker, dict[str, Claim]] = {}
        self._sent: dict[tuple[str, str], float] = {}
        self._tokens: dict[tuple[str, int], str] = {}

    def claim(self, worker: SimWorker, key: str) -> Claim | None:
        """Return what a worker held when its core was told last."""
        return self._held.get(worker, {}).get(key)

    def changed(self, change: Change) -> None:
        """Remember when the newest applied write of a worker was sent, and who got which token."""
        if change.write.kind in _EXTENDS:
            place = (change.worker, change.write.key)
            self._sent[place] = max(self._sent.get(place, NEVER), change.sent_at)
        if change.write.kind is WriteKind.TAKE and isinstance(change.after, LeaseRow):
            before = change.before
            if isinstance(before, LeaseRow) and change.after.counter <= before.counter:
                self.violated("I3", f"{change.write.key}: a take has not moved the counter")

    def commanded(self, worker: SimWorker, command: commands.Command) -> None:
        """Judge what a core is about to do."""
        match command:
            case commands.WriteRow(_, write) if write.kind in GIVES or write.kind is WriteKind.TAKE:
                for run in worker.open_runs(write.key):
                    self.violated(
                        "I1",
                        f"{worker.worker_id} sends {write.kind} of {write.key} while its own user"
                        f" code (run {run.run_id}, {run.method or 'between calls'}) has not closed",
                    )
            case commands.StartRun(run_id=run_id, epoch=epoch):
                for run in worker.open_runs(epoch.key):
                    self.violated(
                        "I1",
                        f"{worker.worker_id} starts run {run_id} of {epoch.key} beside"
                        f" {run.run_id}",
                    )
                self._name_epoch(worker, epoch.key, epoch.token)
                self._check_fence(worker, epoch.key, epoch.fence)
            case commands.MoveFence(run_id, until) if until != NEVER:
                moved = worker.runs.get(run_id)
                if moved is not None:
                    self._check_fence(worker, moved.key, until)
                    self._check_alone(worker, moved.key, worker.clock.true_time(until))

    def told(self, worker: SimWorker, event: Event, *, idle: bool) -> None:
        """Compare what the core holds with what it held."""
        if idle and type(event) in _ABOUT_NO_LEASE:
            return
        held = worker.core.held()
        known = self._held.setdefault(worker, {})
        if not known.keys() <= held.keys():
            for key in [key for key in known if key not in held]:
                del known[key]
                self._claims[key].pop(worker, None)
        for key, epoch in held.items():
            claim = known.get(key)
            if claim is not None and claim.epoch is epoch:
                continue
            fresh = Claim(epoch.token, epoch.fence, worker.clock.true_time(epoch.fence), epoch)
            known[key] = fresh
            self._claims.setdefault(key, {})[worker] = fresh
            self._name_epoch(worker, key, epoch.token)
            if fresh.until > self._heap.now:
                self._check_fence(worker, key, epoch.fence)
                self._check_alone(worker, key, fresh.until)

    def died(self, worker: SimWorker) -> None:
        """The dead own nothing."""
        for key in self._held.pop(worker, {}):
            self._claims[key].pop(worker, None)

    def holders(self, key: str) -> list[SimWorker]:
        """Return who is inside its own fence for a lease now."""
        claims = self._claims.get(key, {})
        return [worker for worker, claim in claims.items() if claim.until > self._heap.now]

    def _check_alone(self, worker: SimWorker, key: str, until: float) -> None:
        if until <= self._heap.now:
            return
        for other, why in self._others_inside(worker, key):
            self.violated(
                "I1",
                f"{key} at {self._heap.now:.3f}: {worker.worker_id} is inside its fence (until"
                f" {until:.3f}), and so is {other.worker_id} ({why})",
            )

    def _others_inside(self, worker: SimWorker, key: str) -> Iterator[tuple[SimWorker, str]]:
        for other, claim in self._claims.get(key, {}).items():
            if other is not worker and other.alive and claim.until > self._heap.now:
                yield other, f"holds token {claim.token} until {claim.until:.3f}"
        for other in self._held:
            if other is worker or not other.alive:
                continue
            for run in other.open_runs(key):
                if run.is_inside():
                    yield (
                        other,
                        f"user code of run {run.run_id} may act until {run.fence.until:.3f} there",
                    )

    def _check_fence(self, worker: SimWorker, key: str, fence: float) -> None:
        """A fence counts from the send of what succeeded. Source: PROTOCOL section 1."""
        sent = self._sent.get((worker.worker_id, key))
        leases = worker.config.leases
        if sent is None:
            self.violated("I1", f"{worker.worker_id} holds {key} without a write of its own")
            return
        latest = worker.clock.reading(sent) + leases.duration * 0.999 - leases.fence_margin
        if fence > latest + _TOLERANCE:
            self.violated(
                "I1",
                f"{worker.worker_id} sets its fence of {key} {fence - latest:.3f} s too late: it"
                " counts from the send of the write that was applied",
            )

    def _name_epoch(self, worker: SimWorker, key: str, token: int) -> None:
        known = self._tokens.setdefault((key, token), worker.worker_id)
        if known != worker.worker_id:
            self.violated(
                "I3", f"{key}: token {token} of {known} is used by {worker.worker_id} too"
            )
