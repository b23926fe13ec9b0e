"""What will be done to the fleet, and when? All of it is drawn from the seed before it starts."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tests.chaos.kinds import KINDS

WORKERS_MIN: Final = 3
WORKERS_MAX: Final = 8
SHARDS_MIN: Final = 2
SHARDS_MAX: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing that is done to the fleet.

    Attributes:
        at: Seconds after the fleet has settled.
        kind: As in `nemesis.DEEDS`.
        target: Which of those that live then, or which of the shards: taken modulo their number.
        seconds: How long it lasts, or until the worker that it costs is replaced.
        service: `dynamodb`, `kinesis` or `*`: requests to it go wrong.
        probability: Of a request that it goes wrong.
        lag: Seconds that a request waits: for its answer, or for the end of its connection.
    """

    at: float
    kind: str
    target: int
    seconds: float
    service: str = "*"
    probability: float = 1.0
    lag: float = 0.0

    def describe(self) -> str:
        """One line, as `--plan` prints it."""
        return (
            f"{self.at:7.2f} s  {self.kind:<16} target {self.target:<3} for {self.seconds:5.2f} s"
            f"  {self.service:<9} p {self.probability:.2f}  lag {self.lag:.2f} s"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that the seed decides.

    Attributes:
        duration: Of leases, seconds.
        seconds: How long deeds are done.
        rate: Records per second, all shards together.
        worker_settings: Tuning by name, the same for all workers.
        engine_flags: As `python -m kcl_py.local` takes them.
        processors: What the workers run, in the order in which they start; then from the front.
    """

    seed: int
    duration: float
    seconds: float
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
    return Plan(
        seed=seed,
        duration=duration,
        seconds=seconds,
        workers=rng.randint(WORKERS_MIN, 5),
        shards=rng.randint(3, 6),
        rate=rng.choice((100.0, 300.0)),
        worker_settings={
            "leases.duration": f"{duration:g}s",
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
    scenes = [*_PLAIN, *(_ROUGH * 2 if rough else ())]
    found: list[Deed] = []
    at = rng.uniform(0.0, duration)
    while at < seconds:
        scene = rng.choice(scenes)
        found.extend(replace(deed, at=round(deed.at, 3)) for deed in scene(rng, at, duration))
        at += rng.uniform(0.2 * duration, longest_pause)
    return sorted(found, key=lambda deed: deed.at)


# ---------------------------------------------------------------------------- what may be drawn

Scene = Callable[[random.Random, float, float], list[Deed]]


def _deed(
    rng: random.Random,
    at: float,
    kind: str,
    seconds: float,
    *,
    target: int | None = None,
    service: str = "*",
    probability: float = 1.0,
    lag: float = 0.0,
) -> Deed:
    return Deed(
        at=at,
        kind=kind,
        target=rng.randrange(1000) if target is None else target,
        seconds=round(seconds, 3),
        service=service,
        probability=round(probability, 2),
        lag=round(lag, 3),
    )


def _service(rng: random.Random) -> str:
    return rng.choice(("dynamodb", "dynamodb", "kinesis"))


def _kill(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [_deed(rng, at, "kill", rng.uniform(0.0, 2 * duration))]


def _terminate(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [_deed(rng, at, "terminate", rng.uniform(0.0, 2 * duration))]


def _join(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [_deed(rng, at, "join", 0.0)]


def _leave(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [_deed(rng, at, "leave", 0.0)]


def _stop(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [_deed(rng, at, "stop", rng.uniform(0.1, 2.5) * duration)]


def _cut(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Connections are refused at once, or swallow what they are sent."""
    lag = rng.choice((0.0, 30.0))
    seconds = rng.uniform(0.2, 2.5) * duration
    return [_deed(rng, at, "cut", seconds, service=_service(rng), lag=lag)]


def _throttle(rng: random.Random, at: float, duration: float) -> list[Deed]:
    seconds = rng.uniform(0.5, 3.0) * duration
    probability = rng.uniform(0.2, 1.0)
    return [_deed(rng, at, "throttle", seconds, service=_service(rng), probability=probability)]


def _throttle_table(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """The whole fleet."""
    seconds = rng.uniform(0.5, 2.0) * duration
    probability = rng.uniform(0.2, 0.9)
    return [_deed(rng, at, "throttle-all", seconds, service="dynamodb", probability=probability)]


def _break(rng: random.Random, at: float, duration: float) -> list[Deed]:
    seconds = rng.uniform(0.5, 2.0) * duration
    probability = rng.uniform(0.2, 0.9)
    return [_deed(rng, at, "500", seconds, service=_service(rng), probability=probability)]


def _delay(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Some longer than the caller waits: those are applied when nobody expects it any more."""
    seconds = rng.uniform(0.5, 2.5) * duration
    lag = rng.uniform(0.05, 1.0) * duration
    probability = rng.uniform(0.2, 1.0)
    service = _service(rng)
    return [_deed(rng, at, "delay", seconds, service=service, probability=probability, lag=lag)]


def _lose(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Applied, but the answer is lost; at once, or after the caller has given up."""
    seconds = rng.uniform(0.5, 2.5) * duration
    lag = rng.choice((0.0, 0.3 * duration, 30.0))
    probability = rng.uniform(0.1, 0.7)
    kind = rng.choice(("lost", "lost-all"))
    return [_deed(rng, at, kind, seconds, service="dynamodb", probability=probability, lag=lag)]


def _leave_out(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Batches of reads are answered in part."""
    seconds = rng.uniform(0.5, 2.5) * duration
    return [_deed(rng, at, "partial", seconds, service="dynamodb", probability=0.5)]


def _split(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [_deed(rng, at, "split", 0.0)]


def _merge(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [_deed(rng, at, "merge", 0.0)]


_PLAIN: Final[tuple[Scene, ...]] = (
    _kill, _kill, _terminate, _terminate, _join, _leave, _stop, _stop, _cut, _cut, _throttle,
    _throttle_table, _break, _delay, _lose, _lose, _leave_out, _split, _split, _merge, _merge,
)  # fmt: skip
"""Those that are named twice come twice as often."""


# ---------------------------------------------------------------------- deeds that meet: `--rough`


def _two_pauses(rng: random.Random, at: float, duration: float) -> list[Deed]:
    first = rng.randrange(1000)
    return [
        _deed(rng, at, "stop", rng.uniform(0.7, 2.5) * duration, target=first),
        _deed(rng, at + 0.05, "stop", rng.uniform(0.7, 2.5) * duration),
    ]


def _pause_almost_too_long(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """The worker wakes up around its fence, or around the moment at which others take."""
    return [_deed(rng, at, "stop", duration - rng.uniform(-0.5, 1.0))]


def _stutter(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """One worker sleeps again and again, and is awake for moments only."""
    target = rng.randrange(1000)
    found = []
    for _ in range(4):
        seconds = rng.uniform(0.2, 1.1) * duration
        found.append(_deed(rng, at, "stop", seconds, target=target))
        at += seconds + rng.uniform(0.05, 0.3)
    return found


def _kill_in_handoff(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [
        _deed(rng, at, "join", 0.0),
        _deed(rng, at + 0.1, "kill-in-handoff", 3 * duration),
    ]


def _stop_in_handoff(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [
        _deed(rng, at, "join", 0.0),
        _deed(rng, at + 0.1, "stop-in-handoff", rng.uniform(0.3, 2.0) * duration),
    ]


def _cut_while_stopping(rng: random.Random, at: float, duration: float) -> list[Deed]:
    target = rng.randrange(1000)
    kind, lag = rng.choice((("cut", 0.0), ("cut", 30.0), ("lost", 0.0), ("delay", 0.5 * duration)))
    seconds = rng.uniform(0.3, 2.5) * duration
    return [
        _deed(rng, at, kind, seconds, target=target, service="dynamodb", lag=lag),
        _deed(rng, at + rng.uniform(0.0, 0.2), "terminate", duration, target=target),
    ]


def _pause_while_stopping(rng: random.Random, at: float, duration: float) -> list[Deed]:
    seconds = rng.uniform(0.3, 2.0) * duration
    return [_deed(rng, at, "terminate-paused", seconds)]


def _split_in_a_cut(rng: random.Random, at: float, duration: float) -> list[Deed]:
    target = rng.randrange(1000)
    service = rng.choice(("dynamodb", "kinesis"))
    seconds = rng.uniform(0.5, 2.0) * duration
    return [
        _deed(rng, at, "cut", seconds, target=target, service=service),
        _deed(rng, at + 0.2 * duration, "split-of", 0.0, target=target),
    ]


def _kill_at_shard_end(rng: random.Random, at: float, duration: float) -> list[Deed]:
    target = rng.randrange(1000)
    kind = rng.choice(("kill", "stop"))
    return [
        _deed(rng, at, "split-of", 0.0, target=target),
        _deed(rng, at + rng.uniform(0.1, 1.5), kind, duration, target=target),
    ]


def _pause_with_late_writes(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Writes of a worker come through while it sleeps, and their answers do not."""
    target = rng.randrange(1000)
    lag = rng.uniform(0.3, 1.5) * duration
    service = "dynamodb"
    return [
        _deed(rng, at, "delay", duration, target=target, service=service, lag=lag),
        _deed(rng, at + 0.3 * duration, "stop", rng.uniform(0.5, 1.5) * duration, target=target),
    ]


def _cut_all(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Nobody reaches the table; often for so long that everybody is fenced."""
    lag = rng.choice((0.0, 30.0))
    seconds = rng.uniform(0.3, 2.0) * duration
    return [_deed(rng, at, "cut-all", seconds, service="dynamodb", lag=lag)]


def _delay_all(rng: random.Random, at: float, duration: float) -> list[Deed]:
    seconds = rng.uniform(0.5, 2.0) * duration
    lag = rng.uniform(0.05, 1.0) * duration
    return [_deed(rng, at, "delay-all", seconds, service="dynamodb", probability=0.5, lag=lag)]


def _massacre(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [_deed(rng, at, "kill-all", rng.uniform(0.0, duration))]


def _deploy(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Everybody is told to end at once, and as many others start, sooner or later."""
    return [_deed(rng, at, "terminate-all", rng.uniform(0.0, duration))]


def _chain(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Children split and merge before their parents are over."""
    target = rng.randrange(1000)
    kinds = ("split", "split", rng.choice(("merge", "kill")), "merge")
    return [
        _deed(rng, at + number * rng.uniform(0.1, 0.5), kind, duration, target=target)
        for number, kind in enumerate(kinds)
    ]


def _hog(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Something else wants the processors."""
    return [_deed(rng, at, "hog", rng.uniform(0.5, 2.0) * duration)]


_ROUGH: Final[tuple[Scene, ...]] = (
    _two_pauses, _pause_almost_too_long, _stutter, _kill_in_handoff, _stop_in_handoff,
    _cut_while_stopping, _pause_while_stopping, _split_in_a_cut, _kill_at_shard_end,
    _pause_with_late_writes, _cut_all, _delay_all, _massacre, _deploy, _chain, _hog,
)  # fmt: skip
