"""Does a machine that was restored give up what it held? I1, where only the wall clock tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.core.events import WallRead
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.testing.sim.watch import Watcher

if TYPE_CHECKING:
    from kcl_py.core.events import Event
    from kcl_py.testing.sim.heap import EventHeap
    from kcl_py.testing.sim.table import Change
    from kcl_py.testing.sim.worker import SimWorker


class JumpChecker(Watcher):
    """After a jump ahead of the wall clock only takes that are sent later begin an epoch.

    The simulated monotonic clock goes on rightly, so nobody overlaps; a real one may have stood
    still.
    """

    def __init__(self, heap: EventHeap) -> None:
        self._heap = heap
        self._offsets: dict[str, float] = {}
        self._jumped_at: dict[str, float] = {}
        self._sent_at: dict[tuple[str, str, int], float] = {}

    def changed(self, change: Change) -> None:
        """Remember when each counter was sent."""
        if isinstance(change.after, LeaseRow):
            place = (change.worker, change.after.key, change.after.counter)
            self._sent_at[place] = change.sent_at

    def told(self, worker: SimWorker, event: Event, *, idle: bool) -> None:
        """Compare the wall clock with what the core was told before; look at what it holds."""
        if isinstance(event, WallRead):
            self._note_jump(worker, event.wall - worker.clock.now())
        jumped_at = self._jumped_at.get(worker.worker_id)
        if jumped_at is None or (idle and not isinstance(event, WallRead)):
            return
        for key, epoch in worker.core.held().items():
            sent_at = self._sent_at.get((worker.worker_id, key, epoch.token))
            if sent_at is None or sent_at <= jumped_at:
                self.violated(
                    "I1",
                    f"{worker.worker_id} holds {key} with token {epoch.token} of before its wall"
                    " clock jumped ahead",
                )

    def _note_jump(self, worker: SimWorker, offset: float) -> None:
        known = self._offsets.get(worker.worker_id, offset)
        self._offsets[worker.worker_id] = offset
        if offset - known > worker.config.leases.fence_margin + 0.01:
            self._jumped_at[worker.worker_id] = self._heap.now
