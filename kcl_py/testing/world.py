"""How are workers, table, stream and checkers put together? A world from one seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from kcl_py.config import WorkerConfig
from kcl_py.core.facts import TableFacts
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.testing.checks.answers import AnswerChecker
from kcl_py.testing.checks.clock import JumpChecker
from kcl_py.testing.checks.ends import EndChecker, imbalance, unsettled
from kcl_py.testing.checks.load import LoadChecker
from kcl_py.testing.checks.losses import LossChecker
from kcl_py.testing.checks.memory import MemoryChecker
from kcl_py.testing.checks.ownership import OwnershipChecker
from kcl_py.testing.checks.records import RecordChecker
from kcl_py.testing.checks.rows import RowChecker
from kcl_py.testing.checks.writes import WriteLoadChecker
from kcl_py.testing.sim.clocks import DRIFT_MAX, WORLD_BEGAN_AT, WorkerClock
from kcl_py.testing.sim.code import Habits, Poison, ScriptedRun
from kcl_py.testing.sim.cores import production_core
from kcl_py.testing.sim.faults import CALM, Fate, Faults, FaultSource
from kcl_py.testing.sim.heap import EventHeap
from kcl_py.testing.sim.run import CodeRun, SimRun
from kcl_py.testing.sim.stream import SimStream
from kcl_py.testing.sim.table import SimTable
from kcl_py.testing.sim.trace import Trace
from kcl_py.testing.sim.watch import Audience, ViolationError, Watcher
from kcl_py.testing.sim.wire_store import TABLE_NAME, WireStore
from kcl_py.testing.sim.worker import Scene, SimWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from kcl_py.testing.sim.cores import CoreMaker
    from kcl_py.testing.sim.heap import Action
    from kcl_py.testing.sim.store import MakeStore

HASH_KEYS = 1 << 128

ALL_INVARIANTS = frozenset(f"I{number}" for number in range(1, 12))
"""Source: section 1 of the design."""


class World:
    """A fleet, its table and its stream under virtual time; everything follows from the seed.

    Checkers look on after every event and raise `ViolationError`.

    Attributes:
        habits: How user code behaves; may be replaced at any time.
        odd_habits: How it behaves in single processes, by worker id.
        poison: Which records fail whatever is tried, until the world heals; None: none do.
        has_index: Whether workers that start find the index on the owner.
        workers: All that there ever were, by id.
        watchers: May be added to.
    """

    def __init__(  # noqa: PLR0913 - by name, and all with a default
        self,
        seed: int = 0,
        *,
        workers: int = 2,
        shards: int = 4,
        config: WorkerConfig | None = None,
        habits: Habits | None = None,
        faults: Faults = CALM,
        make_core: CoreMaker = production_core,
        make_store: MakeStore = WireStore,
        muted: Collection[str] = (),
    ) -> None:
        """Make a world and start its workers.

        Args:
            seed: Everything that is left to chance follows from it.
            workers: How many start at once.
            shards: Of the stream at the beginning.
            config: Of every worker that is given none of its own.
            habits: None: user code that does its work.
            faults: What goes wrong on the way to the services.
            make_core: Makes what decides.
            make_store: Makes the rows of the table.
            muted: Invariants that are not judged, by name.
        """
        self.seed = seed
        self.rng = random.Random(seed)
        self.config = config or WorkerConfig()
        self.habits = habits or Habits()
        self.odd_habits: dict[str, Habits] = {}
        self.poison: Poison | None = None
        self.heap = EventHeap(self.rng)
        self.trace = Trace(self.heap)
        self.faults = FaultSource(self.rng, faults)
        store = make_store(
            self.wall, self.rng, stale=self.faults.staleness, index_lag=self.faults.index_lag
        )
        self.table = SimTable(self.heap, store, self.faults, self.trace)
        self.stream = SimStream(self.heap, self.faults, self.trace, shards=shards)
        self._muted = frozenset(muted)
        self.ownership = OwnershipChecker(self.heap)
        self.records = RecordChecker(self.table, self.stream)
        self.ends = EndChecker(self.table, self.stream, self.ownership, self.records)
        self.losses = LossChecker()
        self._rows = RowChecker(self.table, self.stream)
        self._checkers = self._make_checkers()
        self.watchers = Audience(self._checkers)
        self.table.on_change = self.watchers.changed
        self.has_index = True
        self.workers: dict[str, SimWorker] = {}
        self._make_core = make_core
        self._scene = Scene(self.heap, self.rng, self.table, self.stream, self.trace, self.watchers)
        self._put_rate = 0.0
        self._put_count = 0
        for _ in range(workers):
            self.start_worker()

    def _make_checkers(self) -> tuple[Watcher, ...]:
        """Return all who judge, in the order in which they are told."""
        checkers = (
            self.ends,
            self.losses,
            self.records,
            self.ownership,
            LoadChecker(self.heap, self.ownership),
            WriteLoadChecker(),
            MemoryChecker(),
            self._rows,
            AnswerChecker(),
            JumpChecker(self.heap),
        )
        for checker in checkers:
            checker.muted = self._muted
        return checkers

    def wall(self) -> float:
        """What the clocks of the services show, unix seconds."""
        return WORLD_BEGAN_AT + self.heap.now

    @property
    def now(self) -> float:
        """True time, seconds since the world began."""
        return self.heap.now

    def forget(self) -> None:
        """The table was emptied or restored by hand: what had ended may begin again."""
        self.records.forget()
        self._rows.forget()

    def mute_all(self) -> None:
        """Judge nothing any more: what the promises rest on does not hold."""
        for checker in self._checkers:
            checker.muted = ALL_INVARIANTS

    # ------------------------------------------------------------------------------------ time

    def run_for(self, seconds: float) -> None:
        """Let time pass."""
        self.heap.run_until(self.heap.now + seconds)

    def run_until(self, condition: Callable[[], bool], *, within: float) -> float:
        """Let time pass until something is so; return how long it took.

        Raises:
            ViolationError: It was not so within that many seconds (I6).
        """
        began = self.heap.now
        if not self.heap.run_until(began + within, stop=condition):
            raise ViolationError("I6", f"not so within {within} s from {began:.3f} on")
        return self.heap.now - began

    def after(self, seconds: float, action: Action) -> None:
        """Do something in a while."""
        self.heap.after(seconds, action)

    # --------------------------------------------------------------------------------- workers

    def start_worker(
        self,
        *,
        config: WorkerConfig | None = None,
        rate: float | None = None,
        name: str | None = None,
        make_code: Callable[[SimRun], CodeRun] | None = None,
    ) -> SimWorker:
        """Start a process; a fresh id each time.

        Args:
            config: None: that of the world.
            rate: Of its clock; None: by chance, within the bounds of A1.
            name: The configured id, shared by a process and the one that follows it.
            make_code: None: user code with the habits of the world.
        """
        rng = self.rng
        number = len(self.workers) + 1
        worker_id = f"w{number}" if name is None else f"{name}-{number}"
        drift = rng.uniform(-DRIFT_MAX, DRIFT_MAX)
        clock = WorkerClock(
            self.heap,
            rate=1.0 + drift if rate is None else rate,
            offset=rng.uniform(1.0, 1_000_000.0),
            wall_offset=rng.uniform(-5.0, 5.0),
        )
        config = config or self.config
        table_id = self.table.store.table_id()
        assert table_id is not None, "a worker creates the table before its core starts"
        core = self._make_core(
            worker_id=worker_id,
            config=config,
            table=TableFacts(name=TABLE_NAME, table_id=table_id, has_index=self.has_index),
            stream=self.stream.facts,
            rng=random.Random(rng.getrandbits(64)),
        )
        worker = SimWorker(
            self._scene,
            worker_id,
            core=core,
            clock=clock,
            config=config,
            make_code=make_code or self._scripted,
            name=name or worker_id,
        )
        self.workers[worker_id] = worker
        self.heap.after(rng.uniform(0.0, 0.05), worker.start)
        return worker

    def _scripted(self, run: SimRun) -> CodeRun:
        name = run.worker.worker_id

        def habits() -> Habits:
            return self.odd_habits.get(name, self.habits)

        return ScriptedRun(run, habits, self.rng, lambda: self.poison)

    def living(self) -> list[SimWorker]:
        """Return the workers that are neither dead nor finished."""
        return [worker for worker in self.workers.values() if worker.alive]

    def owner(self, key: str) -> SimWorker | None:
        """Return who is inside its own fence for a lease now."""
        return next(iter(self.ownership.holders(key)), None)

    def held(self, worker: SimWorker) -> list[str]:
        """Return the leases that a worker holds now."""
        return sorted(worker.core.held()) if worker.alive else []

    def cut(self, worker: SimWorker, fate: Fate = Fate.LOST) -> None:
        """Cut a worker off from DynamoDB: its calls, or only the answers, get lost."""
        self.trace.add(worker.worker_id, "cut off", "", fate)
        self.faults.cut[worker.worker_id] = fate

    def mend(self, worker: SimWorker) -> None:
        """Let a worker reach DynamoDB again."""
        if self.faults.cut.pop(worker.worker_id, None) is not None:
            self.trace.add(worker.worker_id, "reaches the table")

    def cut_stream(self, worker: SimWorker) -> None:
        """Cut a worker off from Kinesis."""
        self.trace.add(worker.worker_id, "cut off from the stream")
        self.faults.cut_stream.add(worker.worker_id)

    def mend_stream(self, worker: SimWorker) -> None:
        """Let a worker reach Kinesis again."""
        self.faults.cut_stream.discard(worker.worker_id)

    # ---------------------------------------------------------------------------------- stream

    def put(self, count: int = 1) -> None:
        """Put records with random keys."""
        for _ in range(count):
            self._put_count += 1
            hash_key = self.rng.randrange(HASH_KEYS)
            self.stream.put(b"%d" % self._put_count, "key", hash_key=hash_key)

    def put_steadily(self, per_second: float) -> None:
        """Put records from now on, at random moments; 0 stops it."""
        was_running, self._put_rate = self._put_rate > 0, per_second
        if not was_running and per_second > 0:
            self._put_next()

    def _put_next(self) -> None:
        if self._put_rate > 0:
            self.put()
            self.heap.after(self.rng.expovariate(self._put_rate), self._put_next)

    def row(self, key: str) -> LeaseRow:
        """Return a lease row as it is in the table now."""
        row = self.table.store.read(key)
        assert isinstance(row, LeaseRow), f"{key}: {row}"
        return row

    def open_keys(self) -> list[str]:
        """Return the keys of all lease rows that are not finished."""
        return sorted(key for key, row in self.table.lease_rows().items() if not row.is_finished)

    # ------------------------------------------------------------------------------------ ends

    def is_settled(self) -> bool:
        """Say whether every open shard is processed to its end, and no handoff is under way."""
        return next(self._unsettled(), None) is None

    def _unsettled(self) -> Iterator[str]:
        return unsettled(self.table, self.stream, self.records, self.ownership)

    def heal(self, *, wakes: bool = False) -> None:
        """Stop everything that goes wrong.

        Args:
            wakes: Each open shard gets one record more, so that user code that never checkpointed
                is called once again and does so.
        """
        self.trace.add("world", "healed")
        self.faults.faults = CALM
        self.faults.forget_orders()
        self.put_steadily(0)
        self.habits = Habits(checkpointing=self.habits.checkpointing)
        self.odd_habits.clear()
        self.poison = None
        self.stream.record_bytes = None
        for worker in self.living():
            self.mend(worker)
            self.mend_stream(worker)
            worker.resume()
        if wakes:
            self.heap.after(3.0, self._put_everywhere)

    def _put_everywhere(self) -> None:
        for shard in self.stream.open_shards():
            self.stream.put(b"last", "key", hash_key=shard.hash_range[0])

    def check_settles(self, *, within: float = 120.0) -> float:
        """I6 and I7: with faults stopped, everything is processed and balanced, and stays so.

        Returns:
            How long it took until all was processed, seconds.
        """
        if not self.heap.run_until(self.heap.now + within, stop=self._settled_now()):
            left = "; ".join(self._unsettled())
            self._violated("I6", f"not settled {within} s after the last fault: {left}")
        took = self.heap.now
        self._check_balance()
        return took

    def _violated(self, invariant: str, message: str) -> None:
        if invariant not in self._muted:
            raise ViolationError(invariant, message)

    def _settled_now(self) -> Callable[[], bool]:
        return self._now_and_then(self.is_settled)

    def _balanced_now(self) -> Callable[[], bool]:
        return self._now_and_then(self._is_balanced)

    def _is_balanced(self) -> bool:
        # Who has asked for a lease may still take that back, for instance because it is stopped.
        if any(row.in_handoff for row in self.table.lease_rows().values()):
            return False
        return imbalance(self.table, self.living()) is None

    def _now_and_then(self, condition: Callable[[], bool]) -> Callable[[], bool]:
        """Look four times a second only, because it reads the whole table."""
        due = self.heap.now

        def looks() -> bool:
            nonlocal due
            if self.heap.now < due:
                return False
            due = self.heap.now + 0.25
            return condition()

        return looks

    def _check_balance(self) -> None:
        # A request that was given up and still arrives moves a lease, and is the last fault.
        self.heap.run_until(self.table.late_until)
        # The slowest of the fleet scans, and rests, the longest.
        longest = max(worker.config.leases.duration for worker in self.living())
        scan = min(max(longest / 3, len(self.living()) * longest / 60), 2 * longest / 3)
        # A lease whose move was refused in the plague is left alone for 10 scans.
        self.heap.run_until(
            self.now + 16 * scan + self.config.leases.settle, stop=self._balanced_now()
        )
        uneven = imbalance(self.table, self.living())
        if uneven is not None:
            self._violated("I7", f"leases are not balanced: {uneven}")
        self.run_for(5 * scan)
        before = len(self.ends.takes)
        self.run_for(3 * longest)
        moved = self.ends.takes[before:]
        if moved:
            self._violated("I7", f"leases move though nothing has changed: {moved}")
