"""Is a checkpoint durable when user code is told so, and does what is prepared stay? I2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.core import commands
from kcl_py.core.events import CheckpointAsked
from kcl_py.core.leases.rows import LeaseRow, Sentinel, checkpoint_order
from kcl_py.records import Position
from kcl_py.testing.sim.watch import Watcher

if TYPE_CHECKING:
    from kcl_py.core.events import Event
    from kcl_py.core.leases.rows import Checkpoint
    from kcl_py.testing.sim.table import Change
    from kcl_py.testing.sim.worker import SimWorker


class AnswerChecker(Watcher):
    """Every answer without an error is compared with all that was ever written."""

    judged = frozenset({commands.AnswerCheckpoint})

    def __init__(self) -> None:
        self._asked: dict[tuple[str, int], tuple[str, CheckpointAsked]] = {}
        self._durable: dict[str, Checkpoint] = {}
        self._prepared: dict[str, set[Position]] = {}
        self._committed: dict[str, set[Position]] = {}

    def user_said(self, worker: SimWorker, event: Event) -> None:
        """Remember what is asked."""
        if not isinstance(event, CheckpointAsked):
            return
        run = worker.runs.get(event.run_id)
        if run is not None:
            self._asked[worker.worker_id, event.request_id] = (run.key, event)
            if event.kind == "commit":
                self._committed.setdefault(run.key, set()).add(event.at)

    def changed(self, change: Change) -> None:
        """Remember what is durable; a prepared checkpoint goes by a commit only."""
        after, before = change.after, change.before
        if not isinstance(after, LeaseRow):
            return
        key = after.key
        if checkpoint_order(after.checkpoint) >= checkpoint_order(
            self._durable.get(key, Sentinel.AT_TIMESTAMP)
        ):
            self._durable[key] = after.checkpoint
        if after.pending is not None:
            self._prepared.setdefault(key, set()).add(after.pending.position)
        elif isinstance(before, LeaseRow) and before.pending is not None and change.worker:
            place = before.pending.position
            if not any(place <= at for at in self._committed.get(key, ())):
                self.violated(
                    "I2", f"{key}: what was prepared at {place} is gone, and nobody committed it"
                )

    def commanded(self, worker: SimWorker, command: commands.Command) -> None:
        """Judge an answer."""
        if not isinstance(command, commands.AnswerCheckpoint):
            return
        key, asked = self._asked.pop((worker.worker_id, command.request_id), ("", None))
        if asked is None or command.error is not None or not asked.wait:
            return
        durable = self._durable.get(key, Sentinel.AT_TIMESTAMP)
        if asked.kind == "prepare":
            is_there = asked.at in self._prepared.get(key, ())
        else:
            is_there = checkpoint_order(durable) >= checkpoint_order(asked.at)
        if not is_there:
            self.violated(
                "I2",
                f"{key}: {worker.worker_id} says that {asked.kind} {asked.at} is durable; the table"
                f" has {durable}",
            )
