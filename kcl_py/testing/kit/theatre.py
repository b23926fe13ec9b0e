"""How do incidents befall one processor in the simulated world? The stage of `run_processor`."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, get_args

from kcl_py._words import counted
from kcl_py.config import DeliveryConfig, WorkerConfig
from kcl_py.core.commands import Method
from kcl_py.core.events import Applied
from kcl_py.core.leases import writes
from kcl_py.core.leases.rows import LeaseRow, WorkerRow
from kcl_py.errors import LeaseLost
from kcl_py.processor import classify
from kcl_py.records import Record
from kcl_py.testing.kit.doubles import Payload, encode
from kcl_py.testing.kit.incidents import HandOffAfter, MergeAfter, SplitAfter
from kcl_py.testing.kit.loops import Loops
from kcl_py.testing.kit.real_run import Baton, RealRun
from kcl_py.testing.kit.script import Script
from kcl_py.testing.kit.strikes import MOVE_SECONDS_MAX, Strikes
from kcl_py.testing.sim.code import Habits, ScriptedRun
from kcl_py.testing.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kcl_py.config import OnError
    from kcl_py.letters import DeadLetter
    from kcl_py.processor import ProcessorLike
    from kcl_py.records import Position
    from kcl_py.testing.kit.incidents import Incident
    from kcl_py.testing.kit.script import Polite
    from kcl_py.testing.sim.run import Call, CodeRun, SimRun
    from kcl_py.testing.sim.worker import SimWorker

PATIENCE_SECONDS: Final = 300.0
"""Virtual seconds without a new record or a shard's end after which a run is over."""

_TICK: Final = 0.25
_CALLS: Final = frozenset(get_args(Method))


class Theatre:
    """A stream, a worker, a script of incidents, and others who come in when they are needed.

    Attributes:
        records: What was put into the stream, in order.
        delivered: What was handed over, in order.
        errors: What user code raised, lost leases aside.
        letters: What the sink has, in order; the same one twice if it was written twice.
        calls: As 'epoch 1: initialize'.
        transcript: What happened, for people.
    """

    def __init__(
        self,
        processor: ProcessorLike,
        *,
        incidents: Sequence[Incident],
        on_error: OnError,
        batch_records: int,
        shards: int,
        seed: int,
    ) -> None:
        self.records: list[Record] = []
        self.delivered: list[Record] = []
        self.errors: list[BaseException] = []
        self.letters: list[DeadLetter] = []
        self.calls: list[str] = []
        self.transcript: list[str] = []
        self.script = Script(incidents, shards=shards)
        self._maker = classify(processor)
        self._loops = Loops()
        self._baton = Baton()
        self._shards = shards
        self._handed: set[tuple[str, Position]] = set()
        self._places: list[tuple[str, Position]] = []
        self._epochs: dict[tuple[str, int], int] = {}
        self._closed: list[str] = []
        self._taker: tuple[str, SimWorker] | None = None
        self._key = ""
        config = WorkerConfig(
            on_error=on_error, delivery=DeliveryConfig(batch_records=batch_records)
        )
        self._world = World(seed, workers=0, shards=shards, config=config)
        self._strikes = Strikes(
            self._world,
            self._baton,
            start_worker=self._start_worker,
            note=self._note,
            rng=random.Random(f"strikes/{seed}"),
        )
        self._start_worker()

    def _start_worker(self) -> SimWorker:
        return self._world.start_worker(make_code=self._make)

    def _make(self, run: SimRun) -> CodeRun:
        if self._is_epilogue(run.key):
            return ScriptedRun(run, Habits, self._world.rng)
        return RealRun(run, maker=self._maker, stage=self, baton=self._baton, loops=self._loops)

    def _is_epilogue(self, key: str) -> bool:
        """Say whether a shard is there only so that those before it have an end."""
        shard = self._world.stream.shard(key)
        return shard is not None and any(parent in self._closed for parent in shard.parents)

    # --------------------------------------------------------------------------------- the play

    def play(self, data: list[Payload | Record]) -> None:
        """Put the records, let the incidents happen, close the shards, until all is processed."""
        try:
            self._play(data)
        finally:
            self._loops.close()
        for incident in self.script.left():
            self._note(f"never happened: {incident}")

    def _play(self, data: list[Payload | Record]) -> None:
        progress, deadline = -1, 0.0
        while not self.is_over():
            done = len(self._handed) + len(self._ended())
            if done != progress:
                progress, deadline = done, self._world.now + PATIENCE_SECONDS
            if self._world.now > deadline:
                self._note("nothing more happens")
                return
            self._feed(data)
            self._world.run_for(_TICK)

    def is_over(self) -> bool:
        """Say whether every shard with records is processed to its end."""
        shards = [s for s in self._world.stream.shards() if not self._is_epilogue(s.shard_id)]
        return bool(self._closed) and len(self._ended()) == len(shards)

    def _ended(self) -> list[str]:
        return [key for key, row in self._world.table.lease_rows().items() if row.is_finished]

    def _feed(self, data: list[Payload | Record]) -> None:
        """Put the records up to the next polite incident, which must see nothing behind it."""
        if self._taker is not None and not self._has_moved(*self._taker):
            return
        self._taker = None
        polite = self.script.polite
        upto = min(polite[0].records, len(data)) if polite else len(data)
        for item in data[len(self.records) : upto]:
            self._put(item)
        if not polite:
            self._close_shards()
        elif len(self._handed) >= upto and self._happens(polite[0]):
            polite.pop(0)

    def _put(self, item: Payload | Record) -> None:
        given = item if isinstance(item, Record) else None
        content = encode(item) if given is None else given.data
        # One key for all would leave the other shards empty.
        usual = "key" if self._shards == 1 else f"key-{len(self.records)}"
        key = usual if given is None else given.partition_key or usual
        shard_id, record = self._world.stream.put(content, key)
        self.records.append(record)
        self._places.append((shard_id, record.position))

    def _close_shards(self) -> None:
        """A shard ends when it is split; one at a time, because the stream is busy meanwhile."""
        for shard in self._world.stream.open_shards():
            if not self._is_epilogue(shard.shard_id):
                if self._world.stream.split(shard.shard_id):
                    self._closed.append(shard.shard_id)
                return

    def _happens(self, incident: Polite) -> bool:
        """Let a polite incident happen; False: not yet."""
        match incident:
            case HandOffAfter():
                return self._hand_off()
            case SplitAfter():
                key = self._open_keys()[0]
                return self._reshard(f"{key} is split", lambda: self._world.stream.split(key))
            case MergeAfter():
                key, *others = self._open_keys()
                other = self._neighbour(key, others)
                return self._reshard(
                    f"{key} and {other} are merged", lambda: self._world.stream.merge(key, other)
                )

    def _open_keys(self) -> list[str]:
        """Return the open shards; where something was called last comes first."""
        keys = [shard.shard_id for shard in self._world.stream.open_shards()]
        return sorted(keys, key=lambda key: key != self._key)

    def _neighbour(self, key: str, others: Sequence[str]) -> str:
        ranges = {shard.shard_id: shard.hash_range for shard in self._world.stream.open_shards()}
        low, high = ranges[key]
        return next(
            other for other in others if ranges[other][0] == high + 1 or ranges[other][1] == low - 1
        )

    def _reshard(self, what: str, reshard: Callable[[], bool]) -> bool:
        before = len(self._world.stream.shards())
        if not reshard():
            return False
        self._note(what)
        self._world.run_until(
            lambda: len(self._world.stream.shards()) > before, within=MOVE_SECONDS_MAX
        )
        return True

    def _hand_off(self) -> bool:
        victim = self._world.owner(self._key)
        if victim is None:
            return False
        taker = self._other_than(victim)
        ask = writes.request(self._key, me=taker.worker_id, victim=victim.worker_id)
        if not isinstance(self._world.table.apply("", ask, self._world.now), Applied):
            return False
        self._note(f"{taker.worker_id} asks {victim.worker_id} for {self._key}")
        self._taker = (self._key, taker)
        return True

    def _has_moved(self, key: str, taker: SimWorker) -> bool:
        row = self._world.table.store.read(key)
        if not isinstance(row, LeaseRow) or row.is_finished:
            return True
        if not taker.alive:
            self._note(f"{taker.worker_id}, who asked for {key}, is no more")
            return True
        if not row.in_handoff and row.owner != taker.worker_id:
            # It would fall below its share; a worker that stops hands over all the same.
            victim = self._world.owner(key)
            if victim is not None and victim is not taker:
                victim.stop()
            return victim is taker
        return row.owner == taker.worker_id and not row.in_handoff and not row.is_offered

    def _other_than(self, worker: SimWorker) -> SimWorker:
        """Return another worker that is up; a new one if need be."""
        for other in self._strikes.others_awake(worker):
            return other
        fresh = self._start_worker()
        self._world.run_until(
            lambda: isinstance(self._world.table.store.read(fresh.worker_id), WorkerRow),
            within=MOVE_SECONDS_MAX,
        )
        return fresh

    # ------------------------------------------------------------------------ while code runs

    def called(self, run: SimRun, call: Call) -> None:
        """A call begins."""
        number = self._epochs.setdefault((run.key, run.epoch.token), len(self._epochs) + 1)
        self._key = run.key
        self.calls.append(f"epoch {number}: {call.method}")
        count = (
            f" ({counted(len(call.records), 'record')})" if call.method == "process_records" else ""
        )
        self._note(f"epoch {number}: {call.method}{count}")

    def before_record(self, run: SimRun) -> None:
        """Incidents that come between two records."""
        self._befall(run)

    def handed_over(self, run: SimRun, record: Record) -> None:
        """A record was handed over."""
        self.delivered.append(record)
        self._handed.add((run.key, record.position))

    def buried(self, letters: Sequence[DeadLetter]) -> None:
        """The sink has these."""
        self.letters += letters
        for letter in letters:
            self._note(f"  dead letter: {letter.record.position}, {letter.error_type}")

    def after_call(self, run: SimRun, call: Call, error: BaseException | None) -> None:
        """A call is over; what it raised counts, and an incident may come before its result."""
        if error is not None and not isinstance(error, LeaseLost):
            self.errors.append(error)
        if error is not None:
            self._note(f"  raised {type(error).__name__}: {error}")
        else:
            self._strikes.returned(run, call.method)
            self.reached(run, f"{call.method} returned")
        if call.method == "process_records":
            self._befall(run)

    def reached(self, run: SimRun, moment: str) -> None:
        """User code is at a moment."""
        due, nth = self.script.take_at(moment)
        if moment.removesuffix(" returned") not in _CALLS:
            self._note(f"  {moment!r}, nth={nth}")
        for incident in due:
            self._strikes.at_moment(run, incident)

    def _befall(self, run: SimRun) -> None:
        while (incident := self.script.take_sudden(len(self._handed))) is not None:
            self._strikes.between_records(run, incident)

    def _note(self, text: str) -> None:
        self.transcript.append(f"{self._world.now:9.3f}  {text}")

    # --------------------------------------------------------------------------------- results

    def duplicates(self) -> list[Record]:
        """Return what was handed over again, in order."""
        seen: set[Position] = set()
        again: list[Record] = []
        for record in self.delivered:
            if record.position in seen:
                again.append(record)
            seen.add(record.position)
        return again

    def finished(self) -> Position | None:
        """Return the position of the last record up to which everything is durably finished."""
        rows = self._world.table.lease_rows()
        last: Position | None = None
        for shard_id, position in self._places:
            row = rows.get(shard_id)
            if row is None:
                break
            done = self._world.records.start_of(row)
            if self._world.stream.logs[shard_id].index(position) >= done:
                break
            last = position
        return last
