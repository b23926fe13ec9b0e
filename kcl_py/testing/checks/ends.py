"""Does everything come to its end? I10 when a worker stops; I6 and I7 once faults have stopped."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kcl_py.core import commands
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.core.leases.writes import WriteKind
from kcl_py.records import Position
from kcl_py.testing.sim.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kcl_py.testing.checks.ownership import OwnershipChecker
    from kcl_py.testing.checks.records import RecordChecker
    from kcl_py.testing.sim.stream import SimStream
    from kcl_py.testing.sim.table import Change, SimTable
    from kcl_py.testing.sim.worker import SimWorker


class EndChecker(Watcher):
    """I10: a clean stop leaves every lease offered or released, at its last finished record.

    Attributes:
        takes: True times of all takes that were applied, with key and worker.
    """

    judged = frozenset({commands.WriteRow})

    def __init__(
        self,
        table: SimTable,
        stream: SimStream,
        ownership: OwnershipChecker,
        records: RecordChecker,
    ) -> None:
        self._table = table
        self._stream = stream
        self._ownership = ownership
        self._records = records
        self.takes: list[tuple[float, str, str]] = []

    def changed(self, change: Change) -> None:
        """Remember moves."""
        if change.write.kind is WriteKind.TAKE:
            self.takes.append((change.at, change.write.key, change.worker))

    def commanded(self, worker: SimWorker, command: commands.Command) -> None:
        """A lease that is held is given away with everything that is finished."""
        if not isinstance(command, commands.WriteRow):
            return
        write = command.write
        if write.kind not in (WriteKind.TRANSFER, WriteKind.RELEASE):
            return
        claim = self._ownership.claim(worker, write.key)
        view = self._records.epoch(write.key)
        if claim is None or view is None or view.worker is not worker or view.token != claim.token:
            return
        position = write.sets.get("checkpoint")
        if position is None:
            row = self._table.store.look(write.key)
            if not isinstance(row, LeaseRow) or row.counter != write.base:
                return  # Deleted, or moved by somebody else: the write will not be applied.
            position = row.checkpoint
        done = self._stream.logs[write.key].after(position) if isinstance(position, Position) else 0
        if done < view.finished and view.finished > view.began:
            self.violated(
                "I10",
                f"{worker.worker_id} gives {write.key} away at record {done}, but has finished"
                f" {view.finished}",
            )

    def died(self, worker: SimWorker) -> None:
        """A worker that stopped cleanly has left nothing behind."""
        if not worker.finished or worker.error is not None:
            return
        hung = {run.key for run in worker.runs.values()}
        me = worker.worker_id
        for key, row in self._table.lease_rows().items():
            if row.actual_owner == me and not row.is_offered and key not in hung:
                self.violated("I10", f"{me} has finished and still owns {key}")
            if row.owner == me and row.checkpoint_owner is not None:
                self.violated("I10", f"{me} has finished and still asks for {key}")
        if not hung and me in self._table.rows():
            self.violated("I10", f"{me} has finished and its own row is still there")


def unsettled(
    table: SimTable, stream: SimStream, records: RecordChecker, ownership: OwnershipChecker
) -> Iterator[str]:
    """Say what is not as it must be once faults have stopped (I6, I5)."""
    rows = table.lease_rows()
    for shard in stream.shards():
        key = shard.shard_id
        row = rows.get(key)
        log = stream.logs[key]
        if row is None:
            yield f"{key} has no lease"
        elif row.is_finished:
            if shard.is_open:
                yield f"{key} is finished though the shard is open"
        elif not shard.is_open:
            yield f"{key} is closed and not finished: {row}"
        elif row.in_handoff or row.is_offered:
            yield f"{key} is in a handoff or offered: {row}"
        elif not any(worker.worker_id == row.owner for worker in ownership.holders(key)):
            yield f"{key} is held by nobody: {row}"
        elif max(records.start_of(row), log.kept_from) < len(log):
            yield f"{key} is checkpointed behind {records.start_of(row)} of {len(log)} records"


def imbalance(table: SimTable, workers: list[SimWorker]) -> str | None:
    """Say how the leases are not balanced among these workers; None: they are (I7)."""
    counts: Counter[str] = Counter({worker.worker_id: 0 for worker in workers})
    for row in table.lease_rows().values():
        if not row.is_finished and row.owner is not None:
            counts[row.owner] += 1
    if not counts or max(counts.values()) - min(counts.values()) <= 1:
        return None
    return ", ".join(f"{name} has {count}" for name, count in sorted(counts.items()))
