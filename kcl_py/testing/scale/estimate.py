"""What did the earlier estimate say of the same scenarios, and where do we differ?

It was a throwaway simulation of the protocol's draft: other code, the same surroundings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcl_py.testing.scale.figures import Figures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kcl_py.testing.scale.figures import Row, Size

DIFFERS = 0.2
"""Relative difference from which on it must be known which of the two is wrong."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """One row of it: moves, seconds to settle, and dark seconds (median, 99 %, longest)."""

    moves: float
    settled: float
    dark: tuple[float, float, float]
    settle_time: float = 6.0


# Source: the project's notes on assignment, sections 2 to 5; settle times as given there.
EARLIER: dict[tuple[str, Size], Earlier] = {
    ("join of 1", (20, 500)): Earlier(23, 6.9, (0.33, 1.30, 1.41), 2.0),
    ("join of 1", (100, 2_000)): Earlier(19, 10.7, (0.44, 0.55, 0.55)),
    ("doubling of workers", (20, 500)): Earlier(240, 9.0, (0.30, 0.93, 1.52), 2.0),
    ("doubling of workers", (100, 2_000)): Earlier(1000, 9.2, (0.28, 0.56, 1.47), 2.0),
    ("kill of 1", (20, 500)): Earlier(26, 13.9, (9.89, 13.15, 13.63), 2.0),
    ("kill of 1", (100, 2_000)): Earlier(20, 14.7, (11.55, 14.59, 14.75)),
    ("kill of 1", (1_000, 10_000)): Earlier(10, 14.9, (11.14, 14.86, 14.89), 2.0),
    ("zone lost", (20, 500)): Earlier(156, 17.9, (10.18, 13.52, 14.65), 2.0),
    ("zone lost", (100, 2_000)): Earlier(670, 26.7, (11.13, 15.75, 17.95)),
    ("stop of 1", (20, 500)): Earlier(27, 4.2, (0.52, 1.12, 1.19)),
    ("stop of 1", (100, 2_000)): Earlier(20, 2.5, (0.46, 1.00, 1.00), 2.0),
    ("stop of 1", (1_000, 10_000)): Earlier(10, 2.5, (0.52, 1.00, 1.03), 2.0),
    ("surge deploy", (20, 500)): Earlier(500, 0.3, (0.49, 1.04, 1.80)),
    ("surge deploy", (100, 2_000)): Earlier(2000, 0.5, (0.46, 1.05, 2.07)),
    ("stop-first deploy", (20, 500)): Earlier(1091, 4.5, (0.44, 1.05, 1.81), 2.0),
    ("stop-first deploy", (100, 2_000)): Earlier(2042, 9.0, (0.40, 1.04, 1.95)),
}

EARLIER_USD: dict[Size, float] = {
    (20, 500): 309.0,
    (100, 2_000): 1_546.0,
    (1_000, 10_000): 30_863.0,
    (1_000, 100_000): 291_913.0,
}
"""Dollars a month at the scan interval that was chosen. Section 8 there."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure in both."""

    size: Size
    scenario: str
    figure: str
    earlier: float
    now: float

    @property
    def differs(self) -> bool:
        """It is not the same within `DIFFERS`."""
        return abs(self.now - self.earlier) > DIFFERS * abs(self.earlier)


def differences(rows: Sequence[Row]) -> Iterator[Difference]:
    """Yield every figure that both have."""
    for row in rows:
        if not isinstance(row, Figures):
            continue
        if row.scenario == "steady" and row.size in EARLIER_USD:
            usd = EARLIER_USD[row.size]
            yield Difference(row.size, row.scenario, "$ a month", usd, row.spend.usd)
        earlier = EARLIER.get((row.scenario, row.size))
        if earlier is None or row.settled is None or row.dark is None:
            continue
        yield Difference(row.size, row.scenario, "moves", earlier.moves, row.moves)
        yield Difference(row.size, row.scenario, "settled, s", earlier.settled, row.settled)
        names = ("dark p50, s", "dark p99, s", "dark max, s")
        for name, was, now in zip(names, earlier.dark, row.dark, strict=True):
            yield Difference(row.size, row.scenario, name, was, now)
