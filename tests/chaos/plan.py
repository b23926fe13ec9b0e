"""What will be done to the fleet, and when? All of it is drawn from the seed before it starts."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tests.chaos.deed import Deed
from tests.chaos.kinds import KINDS
from tests.chaos.rough_scenes import ROUGH
from tests.chaos.scenes import PLAIN

WORKERS_MIN: Final = 3
WORKERS_MAX: Final = 8
SHARDS_MIN: Final = 2
SHARDS_MAX: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that the seed decides.

    Attributes:
        duration: Of leases, seconds.
        durations: Of the leases of each worker, in the order in which they start; then from the
            front. Not all of them are the same in some rough plans.
        seconds: How long deeds are done.
        cold: Deeds begin with the first process, before there is a lease table.
        rate: Records per second, all shards together.
        worker_settings: Tuning by name, the same for all workers.
        engine_flags: As `python -m kcl_py.local` takes them.
        processors: What the workers run, in the order in which they start; then from the front.
    """

    seed: int
    duration: float
    durations: Sequence[float]
    seconds: float
    cold: bool
    workers: int
    shards: int
    rate: float
    worker_settings: Mapping[str, str]
    engine_flags: Sequence[str]
    processors: Sequence[str]
    deeds: Sequence[Deed]

    def describe(self) -> str:
        """The whole plan as text."""
        settings = " ".join(f"{name}={value}" for name, value in self.worker_settings.items())
        return "\n".join(
            [
                (
                    f"seed {self.seed}: {self.workers} workers, {self.shards} shards, "
                    f"{self.rate:g} records/s, {self.seconds:g} s, {len(self.deeds)} deeds"
                ),
                f"settings {settings}; engine {' '.join(self.engine_flags)}",
                f"processors {' '.join(self.processors)}",
                f"durations {' '.join(map(str, self.durations))}{' from a cold start' * self.cold}",
                *(deed.describe() for deed in self.deeds),
            ]
        )


def draw(seed: int, *, seconds: float, duration: float, rough: bool = False) -> Plan:
    """Draw a plan.

    Args:
        seed: The same seed gives the same plan.
        seconds: How long deeds are done.
        duration: Of leases, seconds; the times of the deeds grow with it.
        rough: More often, longer, and with deeds that meet.
    """
    rng = random.Random(f"chaos/{seed}")
    rough_rng = random.Random(f"chaos/{seed}/rough")  # Of its own: other plans stay as they are.
    is_mixed, is_cold = rough_rng.random() < 0.3, rough_rng.random() < 0.5
    return Plan(
        seed=seed,
        duration=duration,
        durations=[
            duration * (rough_rng.choice((1.0, 2.0)) if rough and is_mixed else 1.0)
            for _ in range(2 * WORKERS_MAX)
        ],
        seconds=seconds,
        cold=rough and is_cold,
        workers=rng.randint(WORKERS_MIN, 5),
        shards=rng.randint(3, 6),
        rate=rng.choice((100.0, 300.0)),
        worker_settings={
            "leases.settle": "2s",
            "leases.handoff_timeout": rng.choice(("1s", "5s", "20s")),
            "reading.idle_interval": rng.choice(("0.2s", "1s")),
            "delivery.batch_records": rng.choice(("20", "200", "10000")),
            "delivery.hung_after": rng.choice(("2s", "300s")),
            "on_error.backoff.longest": "2s",
        },
        engine_flags=(
            f"--seed={seed}",
            f"--empty-pages={rng.choice((0.0, 0.3))}",
            f"--transition-seconds={rng.choice((0.05, 0.5))}",
        ),
        processors=[rng.choice(KINDS) for _ in range(2 * WORKERS_MAX)],
        deeds=_deeds(rng, seconds, duration, rough=rough),
    )


def _deeds(rng: random.Random, seconds: float, duration: float, *, rough: bool) -> list[Deed]:
    longest_pause = (0.8 if rough else 1.4) * duration
    scenes = [*PLAIN, *(ROUGH * 2 if rough else ())]
    found: list[Deed] = []
    at = rng.uniform(0.0, duration)
    while at < seconds:
        scene = rng.choice(scenes)
        found.extend(replace(deed, at=round(deed.at, 3)) for deed in scene(rng, at, duration))
        at += rng.uniform(0.2 * duration, longest_pause)
    return sorted(found, key=lambda deed: deed.at)
