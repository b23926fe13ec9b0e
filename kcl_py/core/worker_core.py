"""What does a worker do next?

Routes every event to the machine that it concerns, and collects their commands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.core import events
from kcl_py.core.calls import Calls
from kcl_py.core.commands import Finish
from kcl_py.core.consumer.consumers import Consumers
from kcl_py.core.leases.balance import scan_interval
from kcl_py.core.leases.desk import Desk
from kcl_py.core.leases.keeper import Keeper
from kcl_py.core.leases.sights import Sights
from kcl_py.core.shards.syncer import ShardSync
from kcl_py.core.timers import Timers
from kcl_py.errors import WorkerFailed
from kcl_py.status import WorkerState, WorkerStatus

if TYPE_CHECKING:
    import random

    from kcl_py.config import WorkerConfig
    from kcl_py.core.commands import Command
    from kcl_py.core.facts import StreamFacts, TableFacts
    from kcl_py.core.ports import Epoch
    from kcl_py.errors import KclError


class WorkerCore:
    """All decisions of one worker. Pure: the same calls give the same commands.

    Args:
        worker_id: Unique per process and object; the key of the worker's own row.
        rng: Breaks ties and jitters; seeded by whoever makes the core.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        config: WorkerConfig,
        table: TableFacts,
        stream: StreamFacts,
        rng: random.Random,
    ) -> None:
        self._worker_id = worker_id
        self._calls = Calls()
        self._timers = Timers()
        self._margin = config.leases.fence_margin
        self._finished: Finish | None = None
        duration = config.leases.duration
        self._desk = Desk(
            me=worker_id,
            config=config,
            calls=self._calls,
            timers=self._timers,
            rng=rng,
            sights=Sights(me=worker_id, duration=duration),
            scan_interval=scan_interval(config.leases.scan_interval, duration, 1),
        )
        self._keeper = Keeper(self._desk, table=table, stream=stream, on_finish=self._finish)
        self._consumers = Consumers(
            config=config,
            calls=self._calls,
            timers=self._timers,
            rng=rng,
            leases=self._keeper.consumer_side(),
        )
        self._desk.consumers = self._consumers
        self._desk.shards = ShardSync(
            worker_id=worker_id,
            calls=self._calls,
            timers=self._timers,
            rng=rng,
            lease_duration=duration,
            listener=self._keeper.shard_listener(),
        )

    # ------------------------------------------------------------------------------ what runs it

    def start(self, now: float, wall: float) -> list[Command]:
        """Begin.

        Args:
            now: Clock reading, monotonic seconds that also count while the machine is suspended.
            wall: Unix seconds at the same moment.
        """
        self._desk.wall_offset = wall - now
        self._keeper.start(now)
        return self._calls.take_out()

    def receive(self, now: float, event: events.Event) -> list[Command]:
        """Take in one event, after whatever became due before it."""
        if self._finished is not None:
            return []
        if isinstance(event, events.WallRead):
            self._wall_read(now, event.wall)  # First: nothing may act on a lease that is over.
        self._timers.fire(now)
        self._route(now, event)
        self._timers.fire(now)
        self._keeper.settle(now)
        return self._calls.take_out()

    def next_wakeup(self) -> float | None:
        """Return the clock reading at which to call `receive(now.

        Woken())` if nothing happens before.
        """
        return None if self._finished is not None else self._timers.next()

    def held(self) -> dict[str, Epoch]:
        """Return the epochs that are ours now, by lease key; each is ours until its fence."""
        return self._keeper.held()

    def status(self, now: float) -> WorkerStatus:
        """Return what can be said of this worker now; DynamoDB units are filled in by the shell."""
        resting = self._keeper.resting(now)
        shards = {**self._consumers.status(now), **resting}
        state = self._state()
        runs = state in ("starting", "running", "draining")
        healthy = runs and self._consumers.is_healthy and not self._keeper.is_cut_off(now)
        healthy = healthy and not resting
        return WorkerStatus(
            worker_id=self._worker_id,
            state=state,
            healthy=healthy,
            shards=shards,
            peers=tuple(w for w in self._desk.sights.running(now) if w != self._worker_id),
            dynamodb_read_units=0.0,
            dynamodb_write_units=0.0,
            at=now,
            work=self._consumers.tallies.values(shards),
            older_work=self._consumers.tallies.older,
            events=dict(self._calls.counted),
            buffered_bytes=self._consumers.buffered_bytes,
        )

    def _state(self) -> WorkerState:
        if self._keeper.error is not None:
            return "failed"
        if self._finished is not None:
            return "stopped" if self._finished.error is None else "failed"
        if self._desk.stopping:
            return "draining"
        return "running" if self._keeper.is_ready else "starting"

    # ------------------------------------------------------------------------------------ routing

    def _route(self, now: float, event: events.Event) -> None:
        match event:  # What comes most often is looked for first.
            case events.Woken() | events.WallRead():
                pass
            case events.PageFetched() | events.RowWritten():
                self._calls.answer(now, event)
            case events.CallReturned() | events.CheckpointAsked():
                self._consumers.on_event(now, event)
            case events.StopAsked():
                self._keeper.stop(now)
            case events.ThreadCrashed(thread, summary):
                self._keeper.fail(
                    now, WorkerFailed(f"thread {thread} crashed: {summary}; please report this bug")
                )
            case _:
                self._calls.answer(now, event)

    def _wall_read(self, now: float, wall: float) -> None:
        """A wall clock that runs ahead by more than the margin means a restored machine.

        Fence all.
        """
        offset = wall - now
        jumped = offset - self._desk.wall_offset
        self._desk.wall_offset = offset
        if jumped > self._margin:
            self._calls.report("clock.jumped", "warning", seconds=round(jumped, 3))
            self._keeper.fence_all(now, "the wall clock jumped ahead of the monotonic one")

    def _finish(self, error: KclError | None) -> None:
        self._finished = Finish(error)
        self._calls.emit(self._finished)
