"""Which incident is due now? The script of a simulated run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from kcl_py.errors import ConfigError
from kcl_py.testing.kit.incidents import (
    CrashAfter,
    CrashAt,
    HandOffAfter,
    LoseLeaseAfter,
    LoseLeaseAt,
    MergeAfter,
    SplitAfter,
    ThrottleAfter,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcl_py.testing.kit.incidents import Incident

Sudden: TypeAlias = CrashAfter | LoseLeaseAfter | ThrottleAfter
"""Comes between two records, wherever the code is."""

Polite: TypeAlias = HandOffAfter | MergeAfter | SplitAfter
"""Comes when all before is handed over and nothing behind it is in the stream."""

Momentary: TypeAlias = CrashAt | LoseLeaseAt
"""Comes at a moment."""

_Counted = TypeVar("_Counted", bound=Sudden | Polite)


class Script:
    """What is still to happen, each kind in its order.

    Attributes:
        polite: May be popped when it has happened.
    """

    def __init__(self, incidents: Sequence[Incident], *, shards: int) -> None:
        self._sudden = _in_order([i for i in incidents if isinstance(i, Sudden)])
        self.polite = _in_order([i for i in incidents if isinstance(i, Polite)])
        self._momentary = [i for i in incidents if isinstance(i, Momentary)]
        self._seen: Counter[str] = Counter()
        _check_merges(self.polite, shards)

    def take_sudden(self, handed: int) -> Sudden | None:
        """Take the next one that is due when so many records were handed over."""
        if self._sudden and handed >= self._sudden[0].records:
            return self._sudden.pop(0)
        return None

    def take_at(self, moment: str) -> tuple[list[Momentary], int]:
        """Note that a moment has come; take what happens at it, and say how often it has come."""
        self._seen[moment] += 1
        nth = self._seen[moment]
        due = [i for i in self._momentary if i.moment == moment and i.nth == nth]
        self._momentary = [i for i in self._momentary if i not in due]
        return due, nth

    def left(self) -> list[Incident]:
        """Return what has not happened."""
        return [*self._sudden, *self.polite, *self._momentary]


def _in_order(incidents: list[_Counted]) -> list[_Counted]:
    return sorted(incidents, key=lambda incident: incident.records)


def _check_merges(polite: Sequence[Polite], shards: int) -> None:
    """Refuse to merge a shard that has no neighbour then."""
    for incident in polite:
        if isinstance(incident, SplitAfter):
            shards += 1
        elif isinstance(incident, MergeAfter):
            if shards == 1:
                raise ConfigError(f"{incident} finds one shard alone; give shards=2, or split it")
            shards -= 1
