"""What kind of world does a seed make? Its size, its settings, its user code, what goes wrong."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from kcl_py.config import (
    Backoff,
    DeliveryConfig,
    LeaseConfig,
    OnError,
    PollingConfig,
    WorkerConfig,
)
from kcl_py.testing.sim.code import Habits, Poison
from kcl_py.testing.sim.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcl_py.letters import DeadLetter

MIB: Final = 1024 * 1024

FAULTS: Final = (
    Faults(slow=0.02),
    Faults(latency=(0.05, 0.4)),
    Faults(reply_lost=0.03),
    Faults(reply_lost=0.15),
    Faults(lost=0.03),
    Faults(late=0.03),
    Faults(late=0.08, late_max=70.0),
    Faults(throttled=0.05),
    Faults(throttled=0.3),
    Faults(error=0.03, error_applied=0.02),
    Faults(stale=0.3, stale_max=3.0, index_lag_max=3.0),
    Faults(stale=0.5, stale_max=20.0, index_lag_max=15.0),
    Faults(scan_cut=0.05),
    Faults(stale_shards=0.3),
    Faults(expired=0.02, short_page=0.3),
    Faults(empty_page=0.2),
    Faults(stream_throttled=0.05, stream_lost=0.02),
)
"""Kinds of faults, each as often as it comes when it is chosen."""

HABITS: Final = (
    Habits(),
    Habits(checkpointing="explicit"),
    Habits(checkpoint_every=3),
    Habits(checkpointing="explicit", checkpoint_every=2, idle_after=2.0),
    Habits(checkpointing="explicit", checkpoint_every=40, per_record=(0.0, 0.1)),
    Habits(checkpointing="explicit", checkpoint_every=1_000_000),
    Habits(checkpointing="explicit", checkpoint_every=2, wrong=0.3),
    Habits(checkpoint_every=2, wrong=0.3, error=0.01),
    Habits(error=0.02, names_record=0.5),
    Habits(checkpointing="explicit", error=0.02),
    Habits(checkpointing="explicit", prepares=0.5, checkpoint_every=3, idle_after=2.0),
    Habits(checkpoint_every=4, prepares=0.7, error=0.01),
    Habits(gives_up=0.005),
    Habits(checkpointing="explicit", exits=0.003),
    Habits(initialize_error=0.2),
    Habits(per_call=(0.0, 3.0), shutdown=(0.0, 2.0)),
    Habits(per_call=(0.0, 12.0), shutdown=(0.0, 8.0)),
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
    """Half of the worlds are small: they find most, and are read most easily; few are a crowd.

    Together some 4 workers, 8 shards and, with the time to heal, 120 seconds on average.
    """
    kind = rng.random()
    if kind < 0.5:  # noqa: PLR2004
        return Scale(rng.randint(2, 3), rng.randint(1, 4), rng.uniform(1, 6), rng.uniform(25, 85))
    if kind < 0.996:  # noqa: PLR2004
        return Scale(
            rng.randint(3, 8), rng.randint(5, 21), rng.uniform(2, 12), rng.uniform(55, 125)
        )
    workers, shards = rng.randint(20, 100), rng.randint(10, 50)
    return Scale(workers, shards, rng.uniform(2, 10), rng.uniform(15, 30))


def draw_config(rng: random.Random) -> WorkerConfig:
    """Return a configuration that all workers of a world share."""
    return WorkerConfig(
        leases=LeaseConfig(
            duration=rng.choice((3.0, 5.0, 10.0, 10.0)), handoff_timeout=rng.choice((5.0, 20.0))
        ),
        delivery=DeliveryConfig(
            batch_records=rng.choice((3, 10, 10_000)),
            buffer_bytes=rng.choice((MIB, 25 * MIB, 256 * MIB)),
            checkpoint_interval=rng.choice((None, None, 0.5)),
            hung_after=rng.choice((15.0, 300.0)),
        ),
        reading=PollingConfig(
            page_records=rng.choice((5, 100, 10_000)),
            idle_interval=rng.choice((0.5, 1.0, 5.0, 10.0)),
        ),
    )


def draw_record_bytes(rng: random.Random) -> int | None:
    """Return what a record counts: hardly anything, or so much that a few fill the memory."""
    return rng.choice((None, None, None, 50_000, MIB))


def draw_user_records_max(seed: int) -> int:
    """Return how many user records writers pack into one; drawn apart from all else."""
    return random.Random(f"packing {seed}").choice((1, 1, 1, 5))


@dataclass(frozen=True, slots=True, kw_only=True)
class GivingUp:
    """Poison, and the policy that gives it up.

    Attributes:
        longest: Of the back-off, seconds.
    """

    poison: Poison
    then: Literal["dead_letter", "skip"]
    attempts: int
    longest: float

    def applied_to(self, config: WorkerConfig) -> WorkerConfig:
        """Return a configuration with this policy."""
        policy = OnError(
            attempts=self.attempts,
            backoff=Backoff(first=0.05, longest=self.longest),
            then=self.then,
            dead_letters=_simulated if self.then == "dead_letter" else None,
        )
        return replace(config, on_error=policy)


def _simulated(letters: Sequence[DeadLetter]) -> None:
    raise AssertionError(f"{letters}: the sink of a simulated world is in its user code")


def draw_giving_up(seed: int) -> GivingUp | None:
    """Return what is done about poison, in one world of five; drawn apart from all else."""
    rng = random.Random(f"poison {seed}")
    if rng.random() > 0.2:  # noqa: PLR2004
        return None
    return GivingUp(
        poison=Poison(
            share=rng.choice((0.01, 0.05, 0.3)),
            names=rng.choice((0.0, 0.5, 1.0)),
            hopeless=rng.choice((0.0, 0.0, 0.3)),
            sink=rng.choice(((0.0, 0.2), (0.0, 3.0))),
            sink_error=rng.choice((0.0, 0.3, 0.9)),
        ),
        then=rng.choice(("dead_letter", "dead_letter", "skip")),
        attempts=rng.choice((1, 2, 3)),
        longest=rng.choice((0.5, 3.0)),
    )


def draw_faults(rng: random.Random) -> Faults:
    """Return some of the faults, none of them in one world of five."""
    if rng.random() < 0.2:  # noqa: PLR2004
        return Faults()
    calm = mixed = Faults()
    for kind in rng.sample(FAULTS, rng.randint(1, 4)):
        names = kind.__dataclass_fields__
        changed = {n: getattr(kind, n) for n in names if getattr(kind, n) != getattr(calm, n)}
        mixed = replace(mixed, **changed)
    return mixed


def draw_habits(rng: random.Random) -> Habits:
    """Return how user code behaves everywhere, at first."""
    return rng.choice(HABITS)


def draw_bad_habits(rng: random.Random, usual: Habits) -> Habits:
    """Return how the user code of one process behaves for a while; it declares what it did."""
    bad = rng.choice(
        (
            Habits(hang=1.0, hang_seconds=rng.uniform(5.0, 40.0)),
            Habits(error=1.0),
            Habits(per_call=(1.0, 6.0)),
            Habits(per_record=(0.2, 1.0)),
            Habits(gives_up=0.2),
        )
    )
    return replace(bad, checkpointing=usual.checkpointing)
