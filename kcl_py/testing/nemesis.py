"""What goes wrong in a world, and when? A random subset of everything, from the seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from kcl_py.config import DeliveryConfig, LeaseConfig, PollingConfig, WorkerConfig
from kcl_py.testing.faults import Fate, Faults
from kcl_py.testing.sim_code import Habits

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from kcl_py.testing.world import World

WORKERS_MAX: Final = 5

FAULTS: Final = (
    Faults(slow=0.02),
    Faults(reply_lost=0.03),
    Faults(lost=0.03),
    Faults(late=0.03),
    Faults(throttled=0.05),
    Faults(error=0.03, error_applied=0.02),
    Faults(stale=0.3, stale_max=3.0, index_lag_max=3.0),
    Faults(scan_cut=0.05),
    Faults(stale_shards=0.3),
    Faults(expired=0.02, short_page=0.3),
    Faults(stream_throttled=0.05, stream_lost=0.02),
)
"""Kinds of faults, each as often as it comes when it is chosen."""

HABITS: Final = (
    Habits(),
    Habits(checkpointing="explicit"),
    Habits(checkpoint_every=3),
    Habits(checkpointing="explicit", checkpoint_every=2, idle_after=2.0),
    Habits(error=0.02, names_record=0.5),
    Habits(checkpointing="explicit", error=0.02),
    Habits(checkpointing="explicit", prepares=0.5, checkpoint_every=3, idle_after=2.0),
    Habits(checkpoint_every=4, prepares=0.7, error=0.01),
    Habits(gives_up=0.005),
    Habits(checkpointing="explicit", exits=0.003),
    Habits(initialize_error=0.2),
    Habits(per_call=(0.0, 3.0), shutdown=(0.0, 2.0)),
    Habits(hang=0.005, hang_seconds=25.0),
)
"""Kinds of user code."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a world is, and how long it is plagued, seconds."""

    workers: int
    shards: int
    records_per_second: float
    plague: float


def draw_scale(rng: random.Random) -> Scale:
    """Half of the worlds are small: they find most, and are read most easily."""
    if rng.random() < 0.5:  # noqa: PLR2004
        return Scale(2, rng.randint(1, 3), rng.uniform(1, 8), rng.uniform(20, 50))
    return Scale(rng.randint(2, 4), rng.randint(2, 6), rng.uniform(2, 15), rng.uniform(30, 70))


def draw_config(rng: random.Random) -> WorkerConfig:
    """Return a configuration that all workers of a world share."""
    return WorkerConfig(
        leases=LeaseConfig(
            duration=rng.choice((3.0, 5.0, 10.0, 10.0)), handoff_timeout=rng.choice((5.0, 20.0))
        ),
        delivery=DeliveryConfig(
            batch_records=rng.choice((3, 10, 10_000)),
            checkpoint_interval=rng.choice((None, None, 0.5)),
            hung_after=rng.choice((15.0, 300.0)),
        ),
        reading=PollingConfig(page_records=rng.choice((5, 100, 10_000))),
    )


def draw_faults(rng: random.Random) -> Faults:
    """Return some of the faults, none of them in one world of five."""
    if rng.random() < 0.2:  # noqa: PLR2004
        return Faults()
    chosen = rng.sample(FAULTS, rng.randint(1, 4))
    calm = Faults()
    mixed = calm
    for kind in chosen:
        names = (name for name in kind.__dataclass_fields__)
        changed = {n: getattr(kind, n) for n in names if getattr(kind, n) != getattr(calm, n)}
        mixed = replace(mixed, **changed)
    return mixed


class Nemesis:
    """Does things to a world at random times until `until`.

    Every world sees a random subset of the kinds of deeds.
    """

    def __init__(self, world: World, rng: random.Random, until: float) -> None:
        self._world = world
        self._rng = rng
        self._until = until
        deeds: tuple[Callable[[], None], ...] = (
            self._kill,
            self._stop,
            self._join,
            self._pause_briefly,
            self._pause_long,
            self._cut,
            self._split,
            self._merge,
            self._roll,
            self._jump,
        )
        self._config = world.config
        if rng.random() < 0.2:  # noqa: PLR2004
            # Whoever comes later has another lease duration than those before.
            duration = world.config.leases.duration * rng.choice((1.3, 2.0))
            leases = replace(world.config.leases, duration=duration)
            self._config = replace(world.config, leases=leases)
        self._deeds = rng.sample(deeds, rng.randint(1, 5))
        self._mean = rng.uniform(3.0, 15.0)

    def begin(self) -> None:
        """Plan the first deed."""
        self._plan()
        self._supervise()

    def _supervise(self) -> None:
        """Somebody starts workers anew as long as the plague lasts."""
        if self._world.now < self._until:
            self._reserve()
            self._world.after(5.0, self._supervise)

    def _plan(self) -> None:
        wait = self._rng.expovariate(1 / self._mean)
        if self._world.now + wait < self._until:
            self._world.after(wait, self._act)

    def _act(self) -> None:
        self._rng.choice(self._deeds)()
        self._plan()

    def _reserve(self) -> None:
        """Somebody must be left."""
        if sum(not worker.stopping for worker in self._world.living()) < 2:  # noqa: PLR2004
            self._start()

    def end(self) -> None:
        """Leave a fleet that can go on."""
        self._reserve()

    def _start(self) -> None:
        self._world.start_worker(config=self._config)

    def _kill(self) -> None:
        self._reserve()
        self._rng.choice(self._world.living()).kill()

    def _stop(self) -> None:
        self._reserve()
        self._rng.choice(self._world.living()).stop()

    def _join(self) -> None:
        if len(self._world.living()) < WORKERS_MAX:
            self._start()

    def _roll(self) -> None:
        """Replace one worker: the new one first."""
        self._reserve()
        leaving = self._rng.choice(self._world.living())
        self._start()

        def leave() -> None:
            self._reserve()
            leaving.stop()

        self._world.after(self._rng.uniform(0.0, 5.0), leave)

    def _pause_briefly(self) -> None:
        self._pause(self._rng.uniform(0.1, 0.9) * self._world.config.leases.duration)

    def _pause_long(self) -> None:
        self._pause(self._rng.uniform(1.0, 2.5) * self._world.config.leases.duration)

    def _pause(self, seconds: float) -> None:
        self._reserve()
        worker = self._rng.choice(self._world.living())
        worker.pause()
        self._world.after(seconds, worker.resume)

    def _cut(self) -> None:
        self._reserve()
        worker = self._rng.choice(self._world.living())
        self._world.cut(worker, self._rng.choice((Fate.LOST, Fate.REPLY_LOST)))
        seconds = self._rng.uniform(0.3, 2.5) * self._world.config.leases.duration
        self._world.after(seconds, lambda: self._world.mend(worker))

    def _jump(self) -> None:
        """A wall clock jumps, as after a restored snapshot, or because somebody set it."""
        self._reserve()
        worker = self._rng.choice(self._world.living())
        seconds = self._rng.choice((-30.0, 0.3, 30.0))
        worker.note("wall jumps", "", seconds)
        worker.clock.wall_offset += seconds

    def _split(self) -> None:
        shards = self._world.stream.open_shards()
        if len(shards) < 12:  # noqa: PLR2004
            self._world.stream.split(self._rng.choice(shards).shard_id)

    def _merge(self) -> None:
        shards = self._world.stream.open_shards()
        if len(shards) > 1:
            first = self._rng.randrange(len(shards) - 1)
            self._world.stream.merge(shards[first].shard_id, shards[first + 1].shard_id)
