"""What is one thing that is done to the fleet?"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


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


Scene: TypeAlias = Callable[[random.Random, float, float], list[Deed]]
"""Draws deeds that belong together, from some moment on; the last is the duration of leases."""


def deed(
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
