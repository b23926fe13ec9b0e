"""Is a move as short and as rare as we promise? I6, I7 and I10 in worlds where calls succeed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from kcl_py.core import commands
from kcl_py.core.leases.rows import LeaseRow, WorkerRow, WorkerState
from kcl_py.core.leases.writes import WriteKind
from kcl_py.testing.sim.watch import Watcher

if TYPE_CHECKING:
    from kcl_py.core.events import Event
    from kcl_py.testing.sim.table import Change
    from kcl_py.testing.sim.worker import SimWorker
    from kcl_py.testing.world import World

GIVEN_SECONDS: Final = 2.5
"""From a lease that was given away to its next processor: 2 s, and the calls."""

CHILD_SECONDS: Final = 1.5
"""From the last SHARD_END of the parents to the processor of a child: 1 s, and the calls."""


class MoveChecker(Watcher):
    """The bounds of section 1 of the design, for a world without faults of the services.

    Attributes:
        takes: How often each lease was taken since the last `forget`.
    """

    judged = frozenset({commands.StartRun, commands.WriteRow})

    def __init__(
        self,
        world: World,
        muted: frozenset[str] = frozenset(),
        *,
        kill_slack: float = 1.0,
        given_seconds: float = GIVEN_SECONDS,
    ) -> None:
        """Look on at a world.

        Args:
            world: Whose moves.
            muted: Invariants that are not judged.
            kill_slack: Seconds beyond `D + 1.1 S` that a lease of the dead may wait.
            given_seconds: From a lease that was given away to its next processor.
        """
        self._given_seconds = given_seconds
        self._kill_slack = kill_slack
        self.muted = muted
        self._world = world
        self._free: dict[str, tuple[float, float, str]] = {}
        self._asked: dict[str, float] = {}
        self._gone_at: dict[str, float] = {}
        self._refused_at: dict[tuple[str, str], float] = {}
        self.takes: Counter[str] = Counter()
        world.watchers.append(self)

    def forget(self) -> None:
        """A new phase begins."""
        self.takes.clear()

    # ------------------------------------------------------------------------------- what happens

    def changed(self, change: Change) -> None:
        """Note what becomes free, and what is asked for."""
        row, kind = change.after, change.write.kind
        if not isinstance(row, LeaseRow):
            return
        if kind in (WriteKind.TRANSFER, WriteKind.RELEASE):
            self._free[row.key] = (change.at, self._given_seconds, f"was given away ({kind})")
            self._check_has_said(change.worker, row.key)
        elif kind is WriteKind.TAKE:
            self.takes[row.key] += 1
            self._check_maximum(change.worker)
        elif kind is WriteKind.END:
            self._free_children(row.key, change.at)
        elif kind is WriteKind.CANCEL and isinstance(change.before, LeaseRow):
            self._refused_at[change.before.owner or "", row.key] = change.at
        elif kind is WriteKind.REQUEST:
            self._check_patience(change)
        if not row.in_handoff:
            self._asked.pop(row.key, None)
        elif kind is WriteKind.REQUEST:
            self._asked[row.key] = change.at

    def _check_patience(self, change: Change) -> None:
        """Who was refused leaves that lease alone for ten scans."""
        since = self._refused_at.get((change.worker, change.write.key))
        if since is not None and change.worker:
            leases = self._world.workers[change.worker].config.leases
            if change.at - since < 9 * leases.duration / 3:
                self.violated(
                    "I8",
                    f"{change.worker} asks for {change.write.key} again {change.at - since:.1f} s"
                    " after it was refused",
                )

    def _free_children(self, key: str, now: float) -> None:
        rows = self._world.table.lease_rows()
        for child in self._world.stream.children_of(key):
            ended = (name not in rows or rows[name].is_finished for name in child.parents)
            if child.shard_id in rows and all(ended):
                self._free[child.shard_id] = (now, CHILD_SECONDS, "has only finished parents")

    def _check_has_said(self, worker: str, key: str) -> None:
        """Who stops says so before it gives anything away, so that nobody plans with it."""
        row = self._world.table.store.look(worker)
        says = isinstance(row, WorkerRow) and row.state is WorkerState.LEAVING
        if self._world.workers[worker].stopping and not says:
            self.violated("I10", f"{worker} gives {key} away and has not said that it leaves")

    def _check_maximum(self, worker: str) -> None:
        maximum = self._world.workers[worker].config.leases.max_leases
        rows = self._world.table.lease_rows().values()
        count = sum(row.actual_owner == worker and not row.is_offered for row in rows)
        if maximum is not None and count > maximum:
            self.violated("I7", f"{worker} takes lease number {count} of {maximum}")

    def died(self, worker: SimWorker) -> None:
        """Its leases are free."""
        now, leases = self._world.now, worker.config.leases
        self._gone_at[worker.worker_id] = now
        if worker.finished:
            return
        bound = leases.duration + 1.1 * leases.duration / 3 + self._kill_slack
        for key, row in self._world.table.lease_rows().items():
            if row.actual_owner == worker.worker_id and not row.is_offered:
                self._free[key] = (now, bound, f"was held by {worker.worker_id}, which died")

    # ---------------------------------------------------------------------------- what must follow

    def commanded(self, worker: SimWorker, command: commands.Command) -> None:
        """A processor begins, or a live lease is given to somebody."""
        if isinstance(command, commands.StartRun):
            self._check_free(command.epoch.key)
            self._free.pop(command.epoch.key, None)
        elif isinstance(command, commands.WriteRow) and command.write.kind is WriteKind.TRANSFER:
            self._check_taker(worker, command.write.key)

    def _check_taker(self, worker: SimWorker, key: str) -> None:
        row = self._world.table.store.look(key)
        taker = row.owner if isinstance(row, LeaseRow) else None
        if taker is None or taker == worker.worker_id:
            return
        known = self._world.table.store.look(taker)
        leaves = isinstance(known, WorkerRow) and known.state is WorkerState.LEAVING
        silent = self._world.now - self._gone_at.get(taker, self._world.now)
        if (leaves or silent > 0) and silent > worker.config.leases.duration + 1.0:
            self.violated("I6", f"{key} is given to {taker}, gone for {silent:.1f} s")

    def told(self, worker: SimWorker, event: Event, *, idle: bool) -> None:
        """Nothing stays free, nor asked for, for too long."""
        del event, idle
        for key in tuple(self._free):
            self._check_free(key)
        for key, since in self._asked.items():
            leases = worker.config.leases
            waited = self._world.now - since
            if waited > leases.handoff_timeout + leases.duration + 5.0:
                self.violated("I6", f"{key} is in a handoff for {waited:.1f} s")

    def _check_free(self, key: str) -> None:
        since, bound, why = self._free.get(key, (0.0, float("inf"), ""))
        if self._world.now - since > bound:
            self.violated("I6", f"{key} {why}, and is not processed {bound:.1f} s later")

    def check_no_duplicates(self) -> None:
        """I10: clean moves repeat nothing."""
        if twice := self._world.records.duplicates():
            self.violated("I10", f"clean moves repeated records: {twice}")

    def check_total(self, most: int, why: str) -> None:
        """I7: no more takes than this, of all leases together."""
        if self.takes.total() > most:
            self.violated("I7", f"{why}: {self.takes.total()} takes, {most} at most")

    def check_moves(self, most: int, why: str) -> None:
        """I7: no lease has moved more often than this."""
        if moved := {key: count for key, count in sorted(self.takes.items()) if count > most}:
            self.violated("I7", f"{why}: leases were taken {moved} times, {most} at most")
