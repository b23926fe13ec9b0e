"""Are rows made, ended and deleted as they must be? The quiet half of I3, I5, I9 and I10."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.core import commands
from kcl_py.core.leases.rows import ApplicationRow, LeaseRow, Sentinel
from kcl_py.core.leases.writes import WriteKind
from kcl_py.testing.sim.watch import Watcher

if TYPE_CHECKING:
    from kcl_py.core.commands import EpochFacts
    from kcl_py.testing.sim.stream import SimStream
    from kcl_py.testing.sim.table import Change, SimTable
    from kcl_py.testing.sim.worker import SimWorker


class RowChecker(Watcher):
    """Looks at rows where they begin and end, before anything wrong is delivered from them.

    I3: counters grow over re-creation; an epoch that was told
    to shut down never begins again. I5: a row begins where the application does; SHARD_END comes
    after the rows of all children. I9: a finished shard gets no second row, and its tombstone stays
    while the shard is listed. I6: who hands over hands to somebody else. I10: a worker row goes
    after the last user code.
    """

    judged = frozenset({commands.StartRun, commands.CallProcessor, commands.WriteRow})

    def __init__(self, table: SimTable, stream: SimStream) -> None:
        self._table = table
        self._stream = stream
        self._counters: dict[str, int] = {}
        self._ended: set[str] = set()
        self._over: set[tuple[str, int]] = set()

    def forget(self) -> None:
        """The table was emptied or restored by hand."""
        self._ended.clear()
        self._counters.clear()

    # ---------------------------------------------------------------------------------- the table

    def changed(self, change: Change) -> None:
        """Judge creations, ends and deletions by workers; what is done by hand is only noted."""
        row, key = change.after, change.write.key
        if not change.worker:
            if isinstance(row, LeaseRow):
                self._counters[key] = row.counter
            return
        if change.write.kind is WriteKind.DELETE:
            if self._stream.shard(key) is not None:
                self.violated("I9", f"the tombstone of {key} goes though it is listed")
        elif isinstance(row, LeaseRow):
            if change.write.kind is WriteKind.CREATE:
                self._check_creation(row)
            elif change.write.kind is WriteKind.TRANSFER and row.owner == change.worker:
                self.violated("I6", f"{change.worker} gives {key} to itself")
            elif change.write.kind is WriteKind.END:
                self._check_children(key)
                self._ended.add(key)
            self._counters[key] = row.counter

    def _check_creation(self, row: LeaseRow) -> None:
        if row.key in self._ended:
            self.violated("I9", f"{row.key} has ended and gets a row again")
        known = self._counters.get(row.key, -1)
        if row.counter <= known:
            self.violated(
                "I3", f"{row.key} begins with counter {row.counter}, and has had {known} before"
            )
        starts = row.checkpoint in (Sentinel.LATEST, Sentinel.AT_TIMESTAMP)
        for app in self._table.rows().values():
            if isinstance(app, ApplicationRow) and starts and row.start_at != app.start_at:
                self.violated(
                    "I5", f"{row.key} begins at {row.start_at}, the application at {app.start_at}"
                )

    def _check_children(self, key: str) -> None:
        for child in self._stream.children_of(key):
            if child.shard_id not in self._counters:
                self.violated("I5", f"{key} ends before its child {child.shard_id} has a row")

    # --------------------------------------------------------------------------------- the workers

    def commanded(self, worker: SimWorker, command: commands.Command) -> None:
        """Judge epochs, and the end of a worker."""
        match command:
            case commands.StartRun(epoch=epoch):
                self._check_token(worker, epoch)
            case commands.CallProcessor(run_id=run_id, method="shutdown_requested"):
                run = worker.runs[run_id]
                self._over.add((run.key, run.epoch.token))
            case commands.WriteRow(_, write) if write.deletes and write.key == worker.worker_id:
                for run in worker.runs.values():
                    self.violated(
                        "I10",
                        f"{worker.worker_id} deletes its own row while user code of {run.key} has"
                        " not closed",
                    )

    def _check_token(self, worker: SimWorker, epoch: EpochFacts) -> None:
        if (epoch.key, epoch.token) in self._over:
            self.violated(
                "I3",
                f"{worker.worker_id} begins {epoch.key} anew with token {epoch.token}, which was"
                " told to shut down",
            )
