"""Does a worker write more to the table than it has reason to? The lease side of I8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kcl_py.core import commands
from kcl_py.core.events import CheckpointAsked, Failure, Refused, RowWritten
from kcl_py.core.leases.writes import WriteKind
from kcl_py.testing.sim.watch import Watcher

if TYPE_CHECKING:
    from kcl_py.core.events import Event
    from kcl_py.core.leases.writes import RowWrite
    from kcl_py.testing.sim.worker import SimWorker

BURST: Final = 8.0
"""Writes of one reason that may come at once: a start, a stop, each answered late or refused."""

MOVES_PER_SECOND: Final = 1.0
"""A row is looked at each half second while it moves, and each look may lead to one write."""

_OWNERS: Final = frozenset({WriteKind.RENEW})
_BEATS: Final = frozenset({WriteKind.BEAT})


@dataclass(slots=True)
class _Bucket:
    """Writes that are allowed now; refilled as time passes, and by what asks for a write."""

    tokens: float
    at: float
    rate: float

    def refill(self, now: float) -> None:
        self.tokens = min(self.tokens + (now - self.at) * self.rate, max(BURST, self.tokens))
        self.at = now

    def spend(self, now: float) -> bool:
        self.refill(now)
        self.tokens -= 1.0
        return self.tokens >= 0.0


class WriteLoadChecker(Watcher):
    """I8: per row, at most what renewals, beats, checkpoints asked for and moves account for.

    Each worker has for each row and reason a bucket of writes: three in each lease duration (one in
    each scan for moves), one more for each checkpoint that its user code asks for, for each that
    its configuration asks for, and for each write that was not answered.
    """

    judged = frozenset({commands.WriteRow, commands.CallProcessor, commands.StartRun})
    heeded = frozenset({RowWritten})

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}
        self._sent: dict[tuple[str, int], RowWrite] = {}

    def commanded(self, worker: SimWorker, command: commands.Command) -> None:
        """Count a write against its reason."""
        match command:
            case commands.WriteRow(write_id, write):
                self._sent[worker.worker_id, write_id] = write
                if not self._bucket(worker, write).spend(worker.scene.heap.now):
                    self.violated(
                        "I8",
                        f"{worker.worker_id} writes {write.key} more often than it has reason to:"
                        f" {write.kind}",
                    )
            case commands.CallProcessor(run_id=run_id) | commands.StartRun(run_id=run_id):
                # A drain flushes what is finished; an epoch begins.
                self._grant(worker, run_id)

    def user_said(self, worker: SimWorker, event: Event) -> None:
        """A checkpoint that user code asks for is one write more."""
        if isinstance(event, CheckpointAsked):
            self._grant(worker, event.run_id)

    def heard(self, worker: SimWorker, event: Event) -> None:
        """What was not answered may be sent once more."""
        if isinstance(event, RowWritten):
            write = self._sent.pop((worker.worker_id, event.write_id), None)
            # A beat that was applied unanswered refuses the next one, and another follows.
            again = write is not None and write.kind in _BEATS
            answer = event.answer
            if write is not None and isinstance(answer, (Failure, Refused) if again else Failure):
                self._bucket(worker, write).tokens += 1.0

    def died(self, worker: SimWorker) -> None:
        """The dead write nothing."""
        for place in [place for place in self._buckets if place[0] == worker.worker_id]:
            del self._buckets[place]

    def _grant(self, worker: SimWorker, run_id: int) -> None:
        run = worker.runs.get(run_id)
        if run is not None:
            bucket = self._buckets.get((worker.worker_id, run.key, "renewals"))
            if bucket is not None:
                bucket.tokens += 1.0

    def _bucket(self, worker: SimWorker, write: RowWrite) -> _Bucket:
        reason = _reason(write)
        place = (worker.worker_id, write.key, reason)
        bucket = self._buckets.get(place)
        if bucket is None:
            now = worker.scene.heap.now
            bucket = _Bucket(BURST, now, _rate(worker, reason))
            self._buckets[place] = bucket
        return bucket


def _reason(write: RowWrite) -> str:
    if write.kind in _OWNERS:
        return "renewals"
    return "beats" if write.kind in _BEATS else "moves"


def _rate(worker: SimWorker, reason: str) -> float:
    """Return how many writes a second one row needs; clocks may run a thousandth fast."""
    leases, delivery = worker.config.leases, worker.config.delivery
    if reason == "moves":
        return MOVES_PER_SECOND
    rate = 3.0 / leases.duration
    if reason == "renewals" and delivery.checkpoint_interval is not None:
        rate += 1.0 / delivery.checkpoint_interval
    return rate * 1.01
