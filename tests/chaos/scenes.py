"""What may happen on any day? One trouble at a time; they overlap all the same."""

from __future__ import annotations

import random
from typing import Final

from tests.chaos.deed import Deed, Scene, deed


def _service(rng: random.Random) -> str:
    return rng.choice(("dynamodb", "dynamodb", "kinesis"))


def _kill(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [deed(rng, at, "kill", rng.uniform(0.0, 2 * duration))]


def _terminate(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [deed(rng, at, "terminate", rng.uniform(0.0, 2 * duration))]


def _join(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [deed(rng, at, "join", 0.0)]


def _leave(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [deed(rng, at, "leave", 0.0)]


def _stop(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [deed(rng, at, "stop", rng.uniform(0.1, 2.5) * duration)]


def _cut(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Connections are refused at once, or swallow what they are sent."""
    lag = rng.choice((0.0, 30.0))
    seconds = rng.uniform(0.2, 2.5) * duration
    return [deed(rng, at, "cut", seconds, service=_service(rng), lag=lag)]


def _throttle(rng: random.Random, at: float, duration: float) -> list[Deed]:
    seconds = rng.uniform(0.5, 3.0) * duration
    probability = rng.uniform(0.2, 1.0)
    return [deed(rng, at, "throttle", seconds, service=_service(rng), probability=probability)]


def _throttle_table(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """The whole fleet."""
    seconds = rng.uniform(0.5, 2.0) * duration
    probability = rng.uniform(0.2, 0.9)
    return [deed(rng, at, "throttle-all", seconds, service="dynamodb", probability=probability)]


def _break(rng: random.Random, at: float, duration: float) -> list[Deed]:
    seconds = rng.uniform(0.5, 2.0) * duration
    probability = rng.uniform(0.2, 0.9)
    return [deed(rng, at, "500", seconds, service=_service(rng), probability=probability)]


def _delay(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Some longer than the caller waits: those are applied when nobody expects it any more."""
    seconds = rng.uniform(0.5, 2.5) * duration
    lag = rng.uniform(0.05, 1.0) * duration
    probability = rng.uniform(0.2, 1.0)
    service = _service(rng)
    return [deed(rng, at, "delay", seconds, service=service, probability=probability, lag=lag)]


def _lose(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Applied, but the answer is lost; at once, or after the caller has given up."""
    seconds = rng.uniform(0.5, 2.5) * duration
    lag = rng.choice((0.0, 0.3 * duration, 30.0))
    probability = rng.uniform(0.1, 0.7)
    kind = rng.choice(("lost", "lost-all"))
    return [deed(rng, at, kind, seconds, service="dynamodb", probability=probability, lag=lag)]


def _leave_out(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Batches of reads are answered in part."""
    seconds = rng.uniform(0.5, 2.5) * duration
    return [deed(rng, at, "partial", seconds, service="dynamodb", probability=0.5)]


def _split(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [deed(rng, at, "split", 0.0)]


def _merge(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [deed(rng, at, "merge", 0.0)]


PLAIN: Final[tuple[Scene, ...]] = (
    _kill, _kill, _terminate, _terminate, _join, _leave, _stop, _stop, _cut, _cut, _throttle,
    _throttle_table, _break, _delay, _lose, _lose, _leave_out, _split, _split, _merge, _merge,
)  # fmt: skip
"""Those that are named twice come twice as often."""
