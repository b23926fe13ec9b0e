"""Does a worker hold more records in memory than it was allowed to? I11."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.core import commands
from kcl_py.core.events import FetchFailed, PageFetched
from kcl_py.testing.sim.memory import PAGE_BYTES_MAX
from kcl_py.testing.sim.watch import Watcher

if TYPE_CHECKING:
    from kcl_py.core.events import Event
    from kcl_py.testing.sim.worker import SimWorker


class MemoryChecker(Watcher):
    """I11: pages that are in memory, and the worst that may still arrive, stay under one budget.

    A page counts from its arrival until nothing refers to it any more, whatever the core says about
    it. One page is always allowed when there is nothing else.
    """

    judged = frozenset({commands.Fetch})
    heeded = frozenset({PageFetched, FetchFailed})

    def __init__(self) -> None:
        self._under_way: dict[str, set[int]] = {}

    def commanded(self, worker: SimWorker, command: commands.Command) -> None:
        """A read is sent: it may bring a whole page."""
        if isinstance(command, commands.Fetch):
            self._under_way.setdefault(worker.worker_id, set()).add(command.fetch_id)

    def heard(self, worker: SimWorker, event: Event) -> None:
        """Judge when a page arrives: then the others are either in memory, or under way."""
        if not isinstance(event, PageFetched | FetchFailed):
            return
        others = self._under_way.setdefault(worker.worker_id, set())
        others.discard(event.fetch_id)
        if isinstance(event, FetchFailed) or event.page is None:
            return
        limit = worker.config.delivery.buffer_bytes
        held = worker.memory.bytes
        claimed = held + len(others) * PAGE_BYTES_MAX
        is_alone = not others and held == event.page.bytes
        if claimed > limit and not is_alone:
            self.violated(
                "I11",
                f"{worker.worker_id} has {held} bytes in memory and {len(others)} reads under way,"
                f" its budget is {limit}",
            )

    def died(self, worker: SimWorker) -> None:
        """The dead read nothing."""
        self._under_way.pop(worker.worker_id, None)
