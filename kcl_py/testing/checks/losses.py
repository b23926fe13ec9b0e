"""Is a record given up only if it must be, and does nothing pass it before its letter is there?

I2: no checkpoint passes a record whose letter is being written, or must be written once more. I5: a
record is given up only after it has failed so often, alone or named, as the policy says, or once
in a way that no retry can mend.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kcl_py.core import commands
from kcl_py.core.consumer.progress import is_behind, later
from kcl_py.core.events import CallReturned, CheckpointAsked
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.records import Position
from kcl_py.testing.sim.watch import Watcher

if TYPE_CHECKING:
    from kcl_py.core.events import Event, UserError
    from kcl_py.testing.sim.run import Call, SimRun
    from kcl_py.testing.sim.table import Change
    from kcl_py.testing.sim.worker import SimWorker


@dataclass(slots=True)
class _Life:
    """One epoch.

    Attributes:
        failures: How often records failed by themselves.
        declared: Up to here user code said itself that all is finished.
        hopeless: Records of which it was said that no retry can mend it.
        owed: Records that are given up, and whose letters are not durable yet.
    """

    token: int
    declared: Position | None = None
    failures: Counter[Position] = field(default_factory=Counter)
    hopeless: set[Position] = field(default_factory=set)
    owed: set[Position] = field(default_factory=set)


class LossChecker(Watcher):
    """I2 and I5, for records that are given up.

    Attributes:
        letters: How many were durable.
        skipped: How many records were given up without one.
    """

    judged = frozenset({commands.WriteLetter, commands.Deliver, commands.Report})

    def __init__(self) -> None:
        self.letters = 0
        self.skipped = 0
        self._lives: dict[tuple[str, str], _Life] = {}

    def user_said(self, worker: SimWorker, event: Event) -> None:
        """A batch failed: who is to blame?"""
        if not isinstance(event, CallReturned | CheckpointAsked):
            return
        run = worker.runs.get(event.run_id)
        if run is None or run.last is None or not run.is_inside():
            return
        life = self._life(run)
        if isinstance(event, CheckpointAsked):
            is_right = event.handed is not None and event.at <= event.handed
            if event.kind != "prepare" and is_right:
                life.declared = later(life.declared, event.at)
        elif event.method in ("process_records", "shard_ended") and event.error is not None:
            self._failed(life, run.last, event.error)

    def _failed(self, life: _Life, call: Call, error: UserError) -> None:
        if error.kind != "error":
            return
        left = [one.position for one in call.records if is_behind(life.declared, one.position)]
        blamed = error.failed_at or (left[0] if len(left) == 1 else None)
        if blamed is not None:
            life.failures[blamed] += 1
            if not error.may_retry:
                life.hopeless.add(blamed)

    def commanded(self, worker: SimWorker, command: commands.Command) -> None:
        """A record is given up, or is delivered after all."""
        match command:
            case commands.WriteLetter():
                run = worker.runs[command.run_id]
                self._judge(worker, self._life(run), run.key, command.position)
                self._life(run).owed.add(command.position)
            case commands.Deliver() if command.page is not None:
                run = worker.runs[command.run_id]
                records = command.page.records[command.start : command.stop]
                self._life(run).owed.difference_update(record.position for record in records)
            case commands.Report() if command.name == "record.skipped":
                key, position = command.key or "", Position.parse(str(command.fields["position"]))
                self.skipped += 1
                life = self._lives.get((worker.worker_id, key))
                if life is not None:
                    self._judge(worker, life, key, position)
            case _:
                pass

    def _judge(self, worker: SimWorker, life: _Life, key: str, position: Position) -> None:
        attempts = worker.config.on_error.attempts
        failures = life.failures[position]
        if failures < attempts and position not in life.hopeless:
            self.violated(
                "I5",
                f"{key}: {worker.worker_id} gives {position} up, which has failed {failures} of"
                f" {attempts} times by itself",
            )

    def buried(self, worker: SimWorker, run: SimRun, position: Position) -> None:
        """The letter is durable."""
        del worker
        self.letters += 1
        self._life(run).owed.discard(position)

    def changed(self, change: Change) -> None:
        """No checkpoint passes a letter that is owed."""
        after = change.after
        life = self._lives.get((change.worker, change.write.key))
        if not isinstance(after, LeaseRow) or not isinstance(after.checkpoint, Position):
            return
        if life is None or not life.owed or "checkpoint" not in change.write.sets:
            return
        passed = [position for position in life.owed if position <= after.checkpoint]
        if passed:
            self.violated(
                "I2",
                f"{change.write.key}: the checkpoint {after.checkpoint} of {change.worker} passes"
                f" {min(passed)}, which is given up and whose letter is not durable",
            )

    def _life(self, run: SimRun) -> _Life:
        name = run.worker.worker_id, run.key
        life = self._lives.get(name)
        if life is None or life.token != run.epoch.token:
            life = self._lives[name] = _Life(run.epoch.token)
        return life
