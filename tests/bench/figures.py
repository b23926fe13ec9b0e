"""What is a figure, a ratio and a target? Medians with their spread, and what they must reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measure of one contender, over all rounds.

    Attributes:
        what: Who was measured, at what.
        unit: What the samples count.
        samples: One of each round, in order.
    """

    what: str
    unit: str
    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.samples)

    def over(self, other: Figure) -> tuple[float, ...]:
        """Return how many times the other this is, round by round."""
        pairs = zip(self.samples, other.samples, strict=True)
        return tuple(mine / theirs for mine, theirs in pairs)

    def describe(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "what": self.what,
            "unit": self.unit,
            "median": self.median,
            "low": min(self.samples),
            "high": max(self.samples),
            "samples": list(self.samples),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A promise about a ratio or a figure, judged by the median of the rounds.

    Attributes:
        what: Row of the table of promises.
        limit: What it has to reach.
        sense: Which side of the limit is good.
    """

    what: str
    samples: tuple[float, ...]
    limit: float
    sense: Literal["at least", "at most"]
    unit: str = "times"

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.samples)

    @property
    def is_met(self) -> bool:
        """Say whether the median is on the good side of the limit."""
        if self.sense == "at least":
            return self.median >= self.limit
        return self.median <= self.limit

    def describe(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "what": self.what,
            "sense": self.sense,
            "limit": self.limit,
            "unit": self.unit,
            "median": self.median,
            "low": min(self.samples),
            "high": max(self.samples),
            "is_met": self.is_met,
        }


@dataclass(slots=True, kw_only=True)
class Report:
    """What one benchmark found.

    Attributes:
        skipped: Who could not be measured, and why.
        table: Markdown that shows the figures better than one row for each; empty: those rows.
    """

    name: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    table: str = ""

    def describe(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "figures": [figure.describe() for figure in self.figures],
            "targets": [target.describe() for target in self.targets],
            "skipped": self.skipped,
        }


def short(value: float) -> str:
    """Return a number with three digits that mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 10 else f"{value:.1f}"


def spread(samples: Sequence[float]) -> str:
    """Return median, least and greatest."""
    return f"{short(median(samples))} [{short(min(samples))}-{short(max(samples))}]"


def _rows(figures: Sequence[Figure]) -> str:
    lines = ["| measured | median [least-greatest] | unit |", "|---|---|---|"]
    lines += [f"| {it.what} | {spread(it.samples)} | {it.unit} |" for it in figures]
    return "\n".join(lines)


def markdown(report: Report) -> str:
    """Return the tables of a report."""
    lines = [f"### {report.title}", "", report.table or _rows(report.figures)]
    if report.targets:
        lines += ["", "| promised | limit | measured | met |", "|---|---|---|---|"]
        lines += [
            f"| {it.what} | {it.sense} {short(it.limit)} {it.unit} | {spread(it.samples)} | "
            f"{'yes' if it.is_met else '**no**'} |"
            for it in report.targets
        ]
    lines += [f"\nNot measured: {why}" for why in report.skipped]
    return "\n".join(lines) + "\n"
