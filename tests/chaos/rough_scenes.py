"""What if troubles meet at the worst moment?"""

from __future__ import annotations

import random
from typing import Final

from tests.chaos.deed import Deed, Scene, deed


def _two_pauses(rng: random.Random, at: float, duration: float) -> list[Deed]:
    first = rng.randrange(1000)
    return [
        deed(rng, at, "stop", rng.uniform(0.7, 2.5) * duration, target=first),
        deed(rng, at + 0.05, "stop", rng.uniform(0.7, 2.5) * duration),
    ]


def _pause_almost_too_long(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """The worker wakes up around its fence, or around the moment at which others take."""
    return [deed(rng, at, "stop", duration - rng.uniform(-0.5, 1.0))]


def _stutter(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """One worker sleeps again and again, and is awake for moments only."""
    target = rng.randrange(1000)
    found = []
    for _ in range(4):
        seconds = rng.uniform(0.2, 1.1) * duration
        found.append(deed(rng, at, "stop", seconds, target=target))
        at += seconds + rng.uniform(0.05, 0.3)
    return found


def _kill_in_handoff(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [
        deed(rng, at, "join", 0.0),
        deed(rng, at + 0.1, "kill-in-handoff", 3 * duration),
    ]


def _stop_in_handoff(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [
        deed(rng, at, "join", 0.0),
        deed(rng, at + 0.1, "stop-in-handoff", rng.uniform(0.3, 2.0) * duration),
    ]


def _cut_while_stopping(rng: random.Random, at: float, duration: float) -> list[Deed]:
    target = rng.randrange(1000)
    kind, lag = rng.choice((("cut", 0.0), ("cut", 30.0), ("lost", 0.0), ("delay", 0.5 * duration)))
    seconds = rng.uniform(0.3, 2.5) * duration
    return [
        deed(rng, at, kind, seconds, target=target, service="dynamodb", lag=lag),
        deed(rng, at + rng.uniform(0.0, 0.2), "terminate", duration, target=target),
    ]


def _pause_while_stopping(rng: random.Random, at: float, duration: float) -> list[Deed]:
    seconds = rng.uniform(0.3, 2.0) * duration
    return [deed(rng, at, "terminate-paused", seconds)]


def _split_in_a_cut(rng: random.Random, at: float, duration: float) -> list[Deed]:
    target = rng.randrange(1000)
    service = rng.choice(("dynamodb", "kinesis"))
    seconds = rng.uniform(0.5, 2.0) * duration
    return [
        deed(rng, at, "cut", seconds, target=target, service=service),
        deed(rng, at + 0.2 * duration, "split-of", 0.0, target=target),
    ]


def _kill_at_shard_end(rng: random.Random, at: float, duration: float) -> list[Deed]:
    target = rng.randrange(1000)
    kind = rng.choice(("kill", "stop"))
    return [
        deed(rng, at, "split-of", 0.0, target=target),
        deed(rng, at + rng.uniform(0.1, 1.5), kind, duration, target=target),
    ]


def _pause_with_late_writes(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Writes of a worker come through while it sleeps, and their answers do not."""
    target = rng.randrange(1000)
    lag = rng.uniform(0.3, 1.5) * duration
    service = "dynamodb"
    return [
        deed(rng, at, "delay", duration, target=target, service=service, lag=lag),
        deed(rng, at + 0.3 * duration, "stop", rng.uniform(0.5, 1.5) * duration, target=target),
    ]


def _cut_all(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Nobody reaches the table; often for so long that everybody is fenced."""
    lag = rng.choice((0.0, 30.0))
    seconds = rng.uniform(0.3, 2.0) * duration
    return [deed(rng, at, "cut-all", seconds, service="dynamodb", lag=lag)]


def _delay_all(rng: random.Random, at: float, duration: float) -> list[Deed]:
    seconds = rng.uniform(0.5, 2.0) * duration
    lag = rng.uniform(0.05, 1.0) * duration
    return [deed(rng, at, "delay-all", seconds, service="dynamodb", probability=0.5, lag=lag)]


def _massacre(rng: random.Random, at: float, duration: float) -> list[Deed]:
    return [deed(rng, at, "kill-all", rng.uniform(0.0, duration))]


def _deploy(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Everybody is told to end at once, and as many others start, sooner or later."""
    return [deed(rng, at, "terminate-all", rng.uniform(0.0, duration))]


def _chain(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Children split and merge before their parents are over."""
    target = rng.randrange(1000)
    kinds = ("split", "split", rng.choice(("merge", "kill")), "merge")
    return [
        deed(rng, at + number * rng.uniform(0.1, 0.5), kind, duration, target=target)
        for number, kind in enumerate(kinds)
    ]


def _hog(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Something else wants the processors."""
    return [deed(rng, at, "hog", rng.uniform(0.5, 2.0) * duration)]


def _end_at_the_start(rng: random.Random, at: float, duration: float) -> list[Deed]:
    """Whoever joined last is struck before it has found its feet."""
    kind = rng.choice(("terminate", "kill", "stop", "cut", "lost"))
    after = rng.uniform(0.2, 3.0)
    service = "dynamodb" if kind in ("cut", "lost") else "*"
    return [
        deed(rng, at, "join", 0.0),
        deed(rng, at + after, kind, duration, target=-1, service=service, probability=0.5),
    ]


ROUGH: Final[tuple[Scene, ...]] = (
    _two_pauses, _pause_almost_too_long, _stutter, _kill_in_handoff, _stop_in_handoff,
    _cut_while_stopping, _pause_while_stopping, _split_in_a_cut, _kill_at_shard_end,
    _pause_with_late_writes, _cut_all, _delay_all, _massacre, _deploy, _chain, _hog,
    _end_at_the_start,
)  # fmt: skip
