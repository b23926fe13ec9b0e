"""Is every record delivered, in order, and nothing declared finished that is not? I2 to I5, I9."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kcl_py.core import commands
from kcl_py.core.events import CallReturned, CheckpointAsked
from kcl_py.core.leases.rows import LeaseRow, Sentinel, checkpoint_order
from kcl_py.core.leases.writes import WriteKind
from kcl_py.records import Position
from kcl_py.testing.sim.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kcl_py.core.commands import EpochFacts
    from kcl_py.core.events import Event
    from kcl_py.records import Record
    from kcl_py.testing.sim.run import SimRun
    from kcl_py.testing.sim.stream import ShardLog, SimStream
    from kcl_py.testing.sim.table import Change, SimTable
    from kcl_py.testing.sim.worker import SimWorker

_BEGINS = frozenset({WriteKind.TAKE, WriteKind.CANCEL, WriteKind.RENEW})
"""Writes whose counter may be a token: a request that was withdrawn ends in a renewal."""


@dataclass(slots=True)
class EpochView:
    """One epoch as seen from outside.

    Attributes:
        began: Place in the shard at which it began.
        finished: Place up to which (excluded) records are finished.
        expected: Place of the record that must be delivered next.
        may_skip_to: Place behind what `initialize` asked to commit, if it did.
        checkpointing: How the processor declares records finished.
        starts_anywhere: It began at no position, but at the oldest record, or at a time.
        says_trimmed: The worker has reported that records are lost to retention.
        given_up: Places of records that are passed over: their letters are durable, or the worker
            has reported that it skips them.
    """

    worker: SimWorker
    token: int
    began: int
    finished: int
    expected: int
    may_skip_to: int | None = None
    checkpointing: str = "auto"
    starts_anywhere: bool = False
    says_trimmed: bool = False
    given_up: set[int] = field(default_factory=set)
    run_id: int = 0


class RecordChecker(Watcher):
    """I2 monotone, I3 epoch order, I4 parents first, I5 no gap, I9 no resurrection.

    Attributes:
        times_delivered: How often each record was, by lease key and place.
        first_delivery: True time of the first delivery of each epoch, by lease key and token.
    """

    judged = frozenset({commands.StartRun, commands.Report})

    def __init__(self, table: SimTable, stream: SimStream) -> None:
        self._table = table
        self._stream = stream
        self._epochs: dict[str, EpochView] = {}
        self._begun: dict[tuple[str, int], Change] = {}
        self._finished: dict[tuple[str, str], int] = {}
        self._ended: set[str] = set()
        self._reset: dict[str, int] = {}
        self._followed: set[str] = set()
        self.times_delivered: dict[str, dict[int, int]] = {}

    def epoch(self, key: str) -> EpochView | None:
        """Return the newest epoch of a lease that has a processor."""
        return self._epochs.get(key)

    def forget(self) -> None:
        """The table was emptied or restored by hand: a shard that had ended may be read again."""
        self._ended.clear()

    # ------------------------------------------------------------------------------ the table

    def changed(self, change: Change) -> None:
        """I2, and SHARD_END only after everything."""
        after, before, write = change.after, change.before, change.write
        if not isinstance(after, LeaseRow):
            return
        if write.kind in _BEGINS:
            self._begun[write.key, after.counter] = change
        if write.kind is WriteKind.SEIZE and "checkpoint" in write.sets:
            self._began_anew(write.key, after)
            return
        if isinstance(before, LeaseRow):
            if before.checkpoint == after.checkpoint:
                return
            if checkpoint_order(after.checkpoint) < checkpoint_order(before.checkpoint):
                self.violated(
                    "I2",
                    f"{write.key}: the checkpoint goes back from {before.checkpoint} to"
                    f" {after.checkpoint}",
                )
        if after.checkpoint is Sentinel.SHARD_END:
            self._check_end(change)
            self._ended.add(write.key)
        elif isinstance(after.checkpoint, Position) and change.worker:
            done = self._finished.get((change.worker, write.key), 0)
            if self._log(write.key).after(after.checkpoint) > done:
                self.violated(
                    "I2",
                    f"{write.key}: the checkpoint {after.checkpoint} is ahead of what"
                    f" {change.worker} has finished",
                )

    def _began_anew(self, key: str, row: LeaseRow) -> None:
        """Somebody has reset it: what was finished, and what has ended, is so no more."""
        self._reset[key] = row.counter
        self._ended.discard(key)
        self._followed.discard(key)
        self._finished = {k: place for k, place in self._finished.items() if k[1] != key}

    def _check_end(self, change: Change) -> None:
        key = change.write.key
        shard = self._stream.shard(key)
        if shard is not None and shard.is_open:
            self.violated("I5", f"{key}: SHARD_END of a shard that is open")
        begun = self.start_of(change.before)
        done = max(begun, self._finished.get((change.worker, key), 0), self._log(key).kept_from)
        if done < len(self._log(key)):
            self.violated("I5", f"{key}: SHARD_END after {done} of {len(self._log(key))} records")

    # --------------------------------------------------------------------------- the processor

    def commanded(self, worker: SimWorker, command: commands.Command) -> None:
        """An epoch begins, or goes on with a fresh object."""
        if isinstance(command, commands.StartRun):
            self._begin(worker, command.run_id, command.epoch)
        elif isinstance(command, commands.Report) and command.name == "position.trimmed":
            self._reported(worker, command.key or "")
        elif isinstance(command, commands.Report) and command.name == "record.skipped":
            view = self._epochs.get(command.key or "")
            if view is not None and view.worker is worker:
                position = Position.parse(str(command.fields["position"]))
                self._give_up(view, command.key or "", position)

    def _reported(self, worker: SimWorker, key: str) -> None:
        """It says that something was lost to retention; which an operator would have to look at."""
        view = self._epochs.get(key)
        log = self._log(key)
        if view is None or view.worker is not worker:
            return
        view.says_trimmed = True
        if not log.floors:
            self.violated("I5", f"{key}: {worker.worker_id} says that records are lost; none are")

    def _begin(self, worker: SimWorker, run_id: int, facts: EpochFacts) -> None:
        view = self._epochs.get(facts.key)
        if view is not None and view.worker is worker and view.token == facts.token:
            view.expected = view.finished
            view.may_skip_to = None
            view.run_id = run_id
            return
        begun = self._begun.get((facts.key, facts.token))
        if begun is None or begun.worker != worker.worker_id:
            self.violated(
                "I3",
                f"{worker.worker_id} begins {facts.key} with token {facts.token}, which is not"
                " the counter of a write of its own",
            )
        if begun is None:
            return
        if view is not None and facts.token < view.token:
            self.violated("I3", f"{facts.key}: token {facts.token} after {view.token}")
        self._check_tokens_of_parents(facts)
        start = self.start_of(begun.after)
        view = EpochView(worker, facts.token, start, start, start, run_id=run_id)
        view.starts_anywhere = facts.checkpointed is None
        self._epochs[facts.key] = view
        self._note_finished(worker, facts.key, start)

    def _check_tokens_of_parents(self, facts: EpochFacts) -> None:
        """Tokens grow from parents to children, so that a sink may compare them."""
        shard = self._stream.shard(facts.key)
        for parent in () if shard is None else shard.parents:
            older = self._epochs.get(parent)
            if older is not None and facts.token <= older.token:
                self.violated(
                    "I3",
                    f"{facts.key} begins with token {facts.token}, its parent {parent} had"
                    f" {older.token}",
                )

    def user_said(self, worker: SimWorker, event: Event) -> None:
        """What is finished now?"""
        if not isinstance(event, CallReturned | CheckpointAsked):
            return
        view, run = self._of(worker, event.run_id)
        if view is None or run is None:
            return
        if isinstance(event, CheckpointAsked):
            is_beyond = event.handed is not None and event.at > event.handed
            is_offer = run.method == "initialize"  # What an earlier owner has prepared.
            if event.kind != "prepare" and run.is_inside() and (is_offer or not is_beyond):
                place = self._log(run.key).after(event.at)
                self._note_finished(view.worker, run.key, place)
                if run.method == "initialize":
                    view.may_skip_to = place
                else:
                    self._finish(view, run.key, place)
            return
        if event.traits is not None:
            view.checkpointing = event.traits.checkpointing
        if event.method == "process_records":
            self._returned(view, run, event)
        elif event.method == "write_letter" and event.error is None and run.is_inside():
            assert run.last is not None
            assert run.last.letter is not None
            self._give_up(view, run.key, run.last.letter.position)

    def _returned(self, view: EpochView, run: SimRun, event: CallReturned) -> None:
        call = run.last
        if call is None or not run.is_inside():
            return
        if event.error is None:
            if view.checkpointing == "auto" and call.records:
                last = self._log(run.key).index(call.records[-1].position)
                self._finish(view, run.key, last + 1)
                # Handed over by index or slice: the guard has not seen each of them.
                view.expected = last + 1
            return
        if event.error.failed_at is not None and view.checkpointing == "auto":
            self._finish(view, run.key, self._log(run.key).index(event.error.failed_at))
        view.expected = view.finished

    def _finish(self, view: EpochView, key: str, place: int) -> None:
        view.finished = max(view.finished, place)
        while view.finished in view.given_up:
            view.finished += 1
        self._note_finished(view.worker, key, view.finished)

    def _give_up(self, view: EpochView, key: str, position: Position) -> None:
        """A record is passed over once everything before it is finished, or lost to retention."""
        if not self._log(key).has(position):
            return  # User code made it up.
        place = self._log(key).index(position)
        view.given_up.add(place)
        is_next = view.expected == view.finished and self._is_lost(view, key, place)
        self._finish(view, key, place if is_next else view.finished)

    def _note_finished(self, worker: SimWorker, key: str, place: int) -> None:
        known = self._finished.get((worker.worker_id, key), 0)
        self._finished[worker.worker_id, key] = max(known, place)

    def delivered(self, worker: SimWorker, run: SimRun, record: Record) -> None:
        """I3, I4, I5, I9 for one record."""
        key = run.key
        place = self._log(key).index(record.position)
        view = self._epochs.get(key)
        if view is None or view.token != run.epoch.token or view.worker is not worker:
            newest = "none" if view is None else f"{view.token} of {view.worker.worker_id}"
            self.violated(
                "I3",
                f"{key}: {worker.worker_id} gets a record with token {run.epoch.token}, the newest"
                f" is {newest}",
            )
        if view is None:
            return
        if key in self._ended:
            self.violated("I9", f"{key}: a record after SHARD_END")
        if place == view.may_skip_to:
            view.expected = view.finished = place
        view.may_skip_to = None
        while view.expected < place and view.expected in view.given_up:
            view.expected += 1
        if place != view.expected and self._is_lost(view, key, place):
            view.expected = place
        if place != view.expected:
            kind = "I5" if place > view.expected else "I3"
            self.violated(
                kind,
                f"{key}: {worker.worker_id} is delivered record {place}, {view.expected} was next",
            )
        self._check_parents(key, view)
        view.expected = place + 1
        counts = self.times_delivered.setdefault(key, {})
        counts[place] = counts.get(place, 0) + 1

    def _is_lost(self, view: EpochView, key: str, place: int) -> bool:
        """Say whether retention took what comes before a place, and the worker has said so.

        Who begins at the oldest record that there is has nothing to compare with.
        """
        may_go_on = view.says_trimmed or view.starts_anywhere
        return place > view.expected and place in self._log(key).floors and may_go_on

    def _check_parents(self, key: str, view: EpochView) -> None:
        if key in self._followed or view.token < self._reset.get(key, 0):
            return
        self._followed.add(key)
        begun = self._begun[key, view.token].after
        assert isinstance(begun, LeaseRow)
        if begun.root or isinstance(begun.checkpoint, Position):
            return
        shard = self._stream.shard(key)
        for parent in () if shard is None else shard.parents:
            row = self._table.store.look(parent)
            finished = parent in self._ended or (isinstance(row, LeaseRow) and row.is_finished)
            if not finished and (row is not None or self._stream.shard(parent) is not None):
                self.violated("I4", f"{key} is delivered before its parent {parent} has ended")

    # --------------------------------------------------------------------------------- helpers

    def _of(self, worker: SimWorker, run_id: int) -> tuple[EpochView | None, SimRun | None]:
        run = worker.runs.get(run_id)
        if run is None:
            return None, None
        view = self._epochs.get(run.key)
        if view is None or view.worker is not worker or view.run_id != run_id:
            return None, None
        return view, run

    def _log(self, key: str) -> ShardLog:
        return self._stream.logs[key]

    def start_of(self, row: object) -> int:
        """Return where an epoch that begins on this row begins."""
        assert isinstance(row, LeaseRow)
        log = self._log(row.key)
        if isinstance(row.checkpoint, Position):
            return log.after(row.checkpoint)
        if row.checkpoint is Sentinel.SHARD_END:
            return len(log)
        if row.checkpoint is Sentinel.TRIM_HORIZON or row.start_at is None:
            return 0
        return log.from_time(row.start_at)

    def duplicates(self) -> dict[str, int]:
        """Return how many records of each lease were delivered more than once."""
        counts = self.times_delivered.items()
        twice = {key: sum(1 for n in places.values() if n > 1) for key, places in counts}
        return {key: count for key, count in twice.items() if count}

    def delivered_places(self) -> Mapping[str, Mapping[int, int]]:
        """Return how often each record was delivered, by lease key and place."""
        return self.times_delivered
