"""Do we ask the services for more than our share? I8."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from kcl_py.core import commands
from kcl_py.testing.sim.watch import Watcher

if TYPE_CHECKING:
    from kcl_py.testing.checks.ownership import OwnershipChecker
    from kcl_py.testing.sim.heap import EventHeap
    from kcl_py.testing.sim.worker import SimWorker

READS_PER_SECOND_MAX = 5
"""Source: GetRecords, calls per shard and second."""

_SECOND = 0.998
"""A second of a clock that runs 0.1 % fast, as true time, and a little less."""


class LoadChecker(Watcher):
    """At most five reads of a shard in any second by its owner; none past a fence.

    Who takes over within milliseconds cannot know of the last reads of the one before.
    """

    judged = frozenset({commands.Fetch})

    def __init__(self, heap: EventHeap, ownership: OwnershipChecker) -> None:
        self._heap = heap
        self._ownership = ownership
        self._reads: dict[tuple[str, str], deque[float]] = {}

    def commanded(self, worker: SimWorker, command: commands.Command) -> None:
        """Count the reads of a shard."""
        if not isinstance(command, commands.Fetch):
            return
        place = (worker.worker_id, command.shard_id)
        reads = self._reads.setdefault(place, deque(maxlen=READS_PER_SECOND_MAX))
        now = self._heap.now
        # It may have been read and then given up at one and the same moment.
        before = self._ownership.claim(worker, command.key)
        if before is None or worker.clock.now() >= before.fence:
            held = worker.core.held().get(command.key)
            if held is None or worker.clock.now() >= held.fence:
                self.violated("I8", f"{worker.worker_id} reads {command.key} past its fence")
        if len(reads) == READS_PER_SECOND_MAX and now - reads[0] < _SECOND:
            self.violated(
                "I8",
                f"{command.shard_id}: {worker.worker_id} reads it for the sixth time in a second",
            )
        reads.append(now)
