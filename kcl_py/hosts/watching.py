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

HUNG_SECONDS: Final = 10.0
"""A source takes a second or two; one that has not answered after so many is told of."""

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
class Hung:
    """A source was asked so many seconds ago; it is asked again once it has come back."""

    source: str
    waited: float


@dataclass(frozen=True, slots=True)
class AnsweredAgain:
    """A source that failed or hung answers."""

    source: str


Finding: TypeAlias = Seen | Unanswered | Hung | AnsweredAgain


@dataclass(slots=True)
class _Source:
    """One of them.

    Attributes:
        due: When to ask it next, unless it is being asked.
        failures: How often it failed, one after the other.
        asked: When the question was put that is under way; None: none is.
        is_hung: It was told that it hangs, and has not answered since.
        once_more: What is under way was asked before the drain began.
    """

    due: float
    failures: int = 0
    asked: float | None = None
    is_hung: bool = False
    once_more: bool = False

    @property
    def is_well(self) -> bool:
        """It answers, as far as is known."""
        return not self.failures and not self.is_hung


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
        """When to ask next, or to tell who hangs; None: there is nothing to do."""
        times = [source.due for source in self._sources.values() if source.asked is None]
        times += [
            source.asked + HUNG_SECONDS
            for source in self._sources.values()
            if source.asked is not None and not source.is_hung
        ]
        return min(times, default=None)

    @property
    def is_draining(self) -> bool:
        """A drain has begun for a notice."""
        return self._is_draining

    def due(self, now: float) -> list[str]:
        """Who is to be asked now; nobody is asked twice at once."""
        return [
            name
            for name, source in self._sources.items()
            if source.asked is None and source.due <= now
        ]

    def asked(self, name: str, now: float) -> None:
        """A source is being asked."""
        source = self._sources[name]
        source.asked, source.once_more = now, False

    def overdue(self, now: float) -> list[Finding]:
        """Who hangs, each said once until it answers."""
        found: list[Finding] = []
        for name, source in self._sources.items():
            waited = 0.0 if source.asked is None else now - source.asked
            if waited >= HUNG_SECONDS and not source.is_hung:
                source.is_hung = True
                found.append(Hung(name, waited))
        return found

    def awaited(self, now: float) -> list[str]:
        """Whose word is worth a moment before the end: is being asked, or is due, and is well."""
        return [
            name
            for name, source in self._sources.items()
            if source.is_well and (source.asked is not None or source.due <= now)
        ]

    def answered(self, name: str, now: float, notice: Notice | None) -> list[Finding]:
        """A source has answered; None: there is no notice."""
        source = self._sources[name]
        findings: list[Finding] = [] if source.is_well else [AnsweredAgain(name)]
        source.failures, source.is_hung, source.asked = 0, False, None
        source.due = now if source.once_more else now + INTERVAL_SECONDS
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
            if source.is_well:
                source.due = min(source.due, now)
                source.once_more = source.asked is not None

    def failed(self, name: str, now: float, problem: str) -> list[Finding]:
        """A source did not answer, or not with anything that can be read."""
        source = self._sources[name]
        wait = min(INTERVAL_SECONDS * 2.0**source.failures, LONGEST_WAIT_SECONDS)
        source.asked, source.due = None, now + wait
        source.failures = min(source.failures + 1, _DOUBLINGS_MAX)
        return [Unanswered(name, problem, wait)] if source.failures == 1 else []
