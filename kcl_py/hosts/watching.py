"""Which source of notices is to be asked next, and what follows from what it says? Decides only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from kcl_py.hosts.notices import Notice

INTERVAL_SECONDS: Final = 5.0
"""Source: EC2, "Spot Instance interruption notices", which recommends it."""

LONGEST_WAIT_SECONDS: Final = 30.0
"""Between two questions to a source that fails: a notice of two minutes is still seen in time."""

_DOUBLINGS_MAX: Final = 10  # Beyond any limit in here; keeps the number small.


@dataclass(frozen=True, slots=True)
class Seen:
    """A notice, for the first time; drains: a drain begins for it."""

    notice: Notice
    drains: bool


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A source has begun to fail; it is asked again after `wait` seconds, and then less often."""

    source: str
    problem: str
    wait: float


@dataclass(frozen=True, slots=True)
class AnsweredAgain:
    """A source that failed answers."""

    source: str


Finding: TypeAlias = Seen | Unanswered | AnsweredAgain


@dataclass(slots=True)
class _Source:
    """One of them.

    Attributes:
        due: When to ask it next.
        failures: How often it failed, one after the other.
    """

    due: float
    failures: int = 0


class Watching:
    """Keeps the times of all sources, and what was said before. Seconds on any steady clock."""

    def __init__(
        self, names: Sequence[str], now: float, *, drain_on_rebalance: bool = False
    ) -> None:
        """All are due at once."""
        self._sources = {name: _Source(now) for name in names}
        self._drain_on_rebalance = drain_on_rebalance
        self._seen: set[str] = set()
        self._is_draining = False

    @property
    def next_due(self) -> float | None:
        """When to ask next; None: there is nobody to ask."""
        return min((source.due for source in self._sources.values()), default=None)

    @property
    def is_draining(self) -> bool:
        """A drain has begun for a notice."""
        return self._is_draining

    def due(self, now: float) -> list[str]:
        """Who is to be asked now."""
        return [name for name, source in self._sources.items() if source.due <= now]

    def answered(self, name: str, now: float, notice: Notice | None) -> list[Finding]:
        """A source has answered; None: there is no notice."""
        source = self._sources[name]
        findings: list[Finding] = [AnsweredAgain(name)] if source.failures else []
        source.failures, source.due = 0, now + INTERVAL_SECONDS
        if notice is not None and notice.kind not in self._seen:
            self._seen.add(notice.kind)
            wanted = notice.kind != "rebalance" or self._drain_on_rebalance
            drains = wanted and not self._is_draining
            if drains:
                self._is_draining = True
                self._ask_all_once_more(now)
            findings.append(Seen(notice, drains))
        return findings

    def _ask_all_once_more(self, now: float) -> None:
        """The end is near: who has another reason has to be asked before it, as for the hook."""
        for source in self._sources.values():
            if not source.failures:
                source.due = min(source.due, now)

    def failed(self, name: str, now: float, problem: str) -> list[Finding]:
        """A source did not answer, or not with anything that can be read."""
        source = self._sources[name]
        wait = min(INTERVAL_SECONDS * 2.0**source.failures, LONGEST_WAIT_SECONDS)
        source.due = now + wait
        source.failures = min(source.failures + 1, _DOUBLINGS_MAX)
        return [Unanswered(name, problem, wait)] if source.failures == 1 else []
