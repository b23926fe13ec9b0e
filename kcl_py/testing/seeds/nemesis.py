"""What goes wrong in a world, and when? Deeds at random moments, and ambushes at chosen ones."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Final

from kcl_py.core.leases import repairs, writes
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.core.leases.writes import WriteKind
from kcl_py.testing.seeds.swarm import draw_bad_habits
from kcl_py.testing.sim.faults import Fate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kcl_py.config import WorkerConfig
    from kcl_py.testing.seeds.plans import Deed
    from kcl_py.testing.sim.table import Change
    from kcl_py.testing.sim.worker import SimWorker
    from kcl_py.testing.world import World

WORKERS_MORE_MAX: Final = 3
"""By how many workers a fleet may grow beyond its first size."""

SHARDS_OPEN_MAX: Final = 24

_AMBUSHES: Final = (
    WriteKind.TAKE,
    WriteKind.REQUEST,
    WriteKind.WITHDRAW,
    WriteKind.CANCEL,
    WriteKind.TRANSFER,
    WriteKind.RELEASE,
    WriteKind.END,
    WriteKind.CREATE,
)


class Nemesis:
    """Does to a world what its plan says, each deed by its own chance.

    Args:
        late: The configuration of workers that it starts.
    """

    def __init__(self, world: World, *, late: WorkerConfig, until: float) -> None:
        self._world = world
        self._until = until
        self._config = late
        self._rng = world.rng
        self._workers_max = len(world.workers) + WORKERS_MORE_MAX
        self._waits_for: dict[WriteKind, Callable[[Change], None]] = {}
        world.table.on_change.append(self._changed)

    @property
    def _duration(self) -> float:
        return self._world.config.leases.duration

    def begin(self, deeds: Sequence[Deed]) -> None:
        """Let these happen, and see to it that somebody is left."""
        for deed in deeds:
            self._world.after(deed.at - self._world.now, partial(self._do, deed))
        self._supervise()

    def end(self) -> None:
        """Leave a fleet that can go on."""
        self._waits_for.clear()
        for row in self._world.table.lease_rows().values():
            if row.halted:
                self._world.table.apply("", repairs.resume(row), self._world.now)
        self._reserve()

    def _supervise(self) -> None:
        """Somebody starts workers anew as long as the plague lasts."""
        if self._world.now < self._until:
            self._reserve()
            self._world.after(5.0, self._supervise)

    def _do(self, deed: Deed) -> None:
        self._world.trace.add("nemesis", deed.name, "", deed.at)
        self._rng = random.Random(deed.seed)
        act: Callable[[], None] = getattr(self, f"_{deed.name}")
        act()

    # --------------------------------------------------------------------------- coming and going

    def _reserve(self) -> None:
        """Somebody must be left."""
        if sum(not worker.stopping for worker in self._world.living()) < 2:  # noqa: PLR2004
            self._start()

    def _somebody(self) -> SimWorker:
        self._reserve()
        return self._rng.choice(self._world.living())

    def _start(self) -> None:
        self._world.start_worker(config=self._config)

    def _kill(self) -> None:
        self._somebody().kill()

    def _kill_many(self) -> None:
        """Half of the fleet dies at once."""
        self._reserve()
        living = self._world.living()
        for worker in self._rng.sample(living, len(living) // 2):
            worker.kill()

    def _restart(self) -> None:
        """A process dies and is started again at once with the same configured id."""
        worker = self._somebody()
        worker.kill()
        self._world.start_worker(config=self._config, name=worker.name)

    def _stop(self) -> None:
        self._somebody().stop()

    def _join(self) -> None:
        if len(self._world.living()) < self._workers_max:
            self._start()

    def _roll(self) -> None:
        """Replace one worker: the new one first."""
        leaving = self._somebody()
        self._start()

        def leave() -> None:
            self._reserve()
            leaving.stop()

        self._world.after(self._rng.uniform(0.0, 5.0), leave)

    # ------------------------------------------------------------------------------ frozen and cut

    def _pause_briefly(self) -> None:
        self._pause(self._somebody(), self._rng.uniform(0.1, 0.9) * self._duration)

    def _pause_long(self) -> None:
        self._pause(self._somebody(), self._rng.uniform(1.0, 2.5) * self._duration)

    def _pause_at_the_edge(self) -> None:
        """For about as long as a lease lasts, and a scan."""
        edge = self._rng.choice((0.9, 1.0, 1.35))
        self._pause(self._somebody(), (edge + self._rng.uniform(-0.06, 0.06)) * self._duration)

    def _pause_two(self) -> None:
        """Two freeze at once; one of them wakes while the other does not."""
        self._pause_long()
        self._pause_long()

    def _pause(self, worker: SimWorker, seconds: float) -> None:
        worker.pause()
        self._world.after(seconds, worker.resume)

    def _cut(self) -> None:
        self._cut_off(self._somebody(), self._rng.uniform(0.3, 2.5) * self._duration)

    def _cut_off(self, worker: SimWorker, seconds: float) -> None:
        self._world.cut(worker, self._rng.choice((Fate.LOST, Fate.REPLY_LOST)))
        self._world.after(seconds, lambda: self._world.mend(worker))

    def _cut_stream(self) -> None:
        """One worker does not reach Kinesis, but renews."""
        worker = self._somebody()
        self._world.cut_stream(worker)
        seconds = self._rng.uniform(0.3, 2.5) * self._duration
        self._world.after(seconds, lambda: self._world.mend_stream(worker))

    def _black_out(self) -> None:
        """DynamoDB answers nobody, and may or may not do what it is asked."""
        seconds = self._rng.uniform(0.1, 2.0) * self._duration
        for worker in self._world.living():
            self._cut_off(worker, seconds + self._rng.uniform(0.0, 0.2))

    def _jump(self) -> None:
        """A wall clock jumps, as after a restored snapshot, or because somebody set it."""
        worker = self._somebody()
        seconds = self._rng.choice((-30.0, 0.3, 30.0))
        worker.note("wall jumps", "", seconds)
        worker.clock.wall_offset += seconds

    # ----------------------------------------------------------------------------------- ambushes

    def _ambush(self) -> None:
        """At the next write of some kind something happens to somebody whom it concerns."""
        rng = self._rng
        kind = rng.choice(_AMBUSHES)
        seconds = rng.uniform(0.1, 2.0) * self._duration
        deed = rng.choice(
            (
                lambda worker: worker.kill(),
                lambda worker: worker.stop(),
                lambda worker: self._pause(worker, seconds),
                lambda worker: self._cut_off(worker, seconds),
            )
        )

        def strike(worker: SimWorker) -> None:
            if worker.alive:
                self._reserve()
                deed(worker)

        def spring(change: Change) -> None:
            concerned = self._concerned(change)
            if concerned:
                delay = rng.uniform(0.0, 0.06)
                self._world.after(delay, partial(strike, rng.choice(concerned)))

        self._waits_for[kind] = spring

    def _changed(self, change: Change) -> None:
        if self._waits_for:
            spring = self._waits_for.pop(change.write.kind, None)
            if spring is not None:
                spring(change)

    def _concerned(self, change: Change) -> list[SimWorker]:
        """Return who wrote, and whom the row names."""
        names = [change.worker]
        if isinstance(change.after, LeaseRow):
            names += [change.after.owner or "", change.after.checkpoint_owner or ""]
        return [self._world.workers[name] for name in names if name in self._world.workers]

    # ----------------------------------------------------------------------------------- by hand

    def _meddle(self) -> None:
        """Somebody halts a shard, resumes it, takes it away, or asks its owner for another."""
        rows = self._world.table.lease_rows()
        open_rows = [row for _, row in sorted(rows.items()) if not row.is_finished]
        if not open_rows:
            return
        row = self._rng.choice(open_rows)
        writes_by_hand = [
            repairs.halt(row),
            repairs.resume(row),
            repairs.seize(row, nonce=f"hand#{self._rng.random()}"),
        ]
        # Nobody is asked in the name of who is leaving: `kcl leases release` sees that as well.
        running = [w.worker_id for w in self._world.living() if not w.stopping]
        takers = [name for name in running if name != row.owner]
        if takers and row.owner is not None:
            taker = self._rng.choice(takers)
            writes_by_hand.append(writes.request(row.key, me=taker, victim=row.owner))
        self._world.table.apply("", self._rng.choice(writes_by_hand), self._world.now)

    # ------------------------------------------------------------------------- stream and user code

    def _misbehave(self) -> None:
        """The user code of one process hangs, raises or crawls for a while."""
        worker = self._somebody()
        bad = draw_bad_habits(self._rng, self._world.habits)
        worker.note("misbehaves", "", bad)
        self._world.odd_habits[worker.worker_id] = bad

        def improve() -> None:
            self._world.odd_habits.pop(worker.worker_id, None)

        self._world.after(self._rng.uniform(2.0, 20.0), improve)

    def _split(self) -> None:
        shards = self._world.stream.open_shards()
        if len(shards) < SHARDS_OPEN_MAX:
            self._world.stream.split(self._rng.choice(shards).shard_id)

    def _merge(self) -> None:
        shards = self._world.stream.open_shards()
        if len(shards) > 1:
            first = self._rng.randrange(len(shards) - 1)
            self._world.stream.merge(shards[first].shard_id, shards[first + 1].shard_id)

    def _trim(self) -> None:
        """An owner dies, and retention overtakes what it had checkpointed."""
        shard = self._rng.choice(self._world.stream.open_shards())
        owner = self._world.owner(shard.shard_id)
        row = self._world.table.lease_rows().get(shard.shard_id)
        if owner is None or row is None:
            return
        self._reserve()
        owner.kill()
        begins = self._world.records.start_of(row)
        self._world.stream.trim(shard.shard_id, begins + self._rng.randint(-2, 5))
