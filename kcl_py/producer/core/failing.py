"""What becomes of records that were not stored: another attempt, or back to who put them?"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from kcl_py.core.events import FailureKind
from kcl_py.core.puts import ENTRY_KINDS
from kcl_py.producer.core.units import Unit, items_of

if TYPE_CHECKING:
    from kcl_py.core.puts import PutRefused
    from kcl_py.producer.config import ProducerConfig
    from kcl_py.producer.core.ledger import Ledger
    from kcl_py.producer.core.retrying import Retries
    from kcl_py.producer.core.routing import Router
    from kcl_py.producer.results import Cause

BROKEN_ANSWER: Final = "BrokenAnswer"


class Failing:
    """Decides on units that failed.

    Attributes:
        halves: Of requests that the service refuses as they are; to be sent by themselves.
    """

    def __init__(
        self, config: ProducerConfig, ledger: Ledger, router: Router, retries: Retries
    ) -> None:
        self.halves: deque[list[Unit]] = deque()
        self._attempts_max = config.attempts
        self._ledger = ledger
        self._router = router
        self._retries = retries

    def refused(self, units: list[Unit], said: PutRefused, now: float) -> None:
        """A whole request failed."""
        if said.blames_entries and not said.passing and len(units) > 1:
            # One of them may be to blame: the others must not share its fate.
            for unit in units:
                unit.attempts -= 1
            half = len(units) // 2
            self.halves += (units[:half], units[half:])
            return
        if said.kind is FailureKind.THROTTLED:
            self._ledger.counts.throttles += len(units)
        for unit in units:
            unit.error = (said.code, said.message)
        if said.passing:
            self._try_again(units, now)
        else:
            self._give_up(units, now, "record" if said.blames_entries else "stream")

    def unanswered(self, units: list[Unit], why: str, now: float) -> None:
        """An answer came that tells nothing."""
        for unit in units:
            unit.error = (BROKEN_ANSWER, why)
        self._try_again(units, now)

    def entries(self, units: list[Unit], now: float) -> None:
        """Some entries of a request failed; each has its error."""
        passing: list[Unit] = []
        lasting: list[Unit] = []
        for unit in units:
            assert unit.error is not None
            kind = ENTRY_KINDS.get(unit.error[0], FailureKind.UNKNOWN)
            if kind is FailureKind.THROTTLED:
                self._ledger.counts.throttles += 1
            (lasting if kind is FailureKind.DENIED else passing).append(unit)
        self._give_up(lasting, now, "stream")
        self._try_again(passing, now)

    def _try_again(self, units: list[Unit], now: float) -> None:
        """Send these again after a while, if they may be sent so often and have the time."""
        limit = self._attempts_max
        groups: dict[int, list[Unit]] = {}
        spent: list[Unit] = []
        for unit in units:
            if limit is not None and unit.attempts >= limit:
                spent.append(unit)
            else:
                groups.setdefault(unit.attempts, []).append(unit)
        self._give_up(spent, now, "passing")
        for attempts, group in groups.items():
            when = self._retries.next_time(attempts, now)
            in_time = [unit for unit in group if unit.expires > when]
            if in_time:
                self._retries.add(when, in_time)
            for unit in group:
                if unit.expires <= when:
                    self._retries.add(unit.expires, [unit])

    def _give_up(self, units: list[Unit], now: float, cause: Cause) -> None:
        for unit in units:
            assert unit.error is not None
            items = items_of(unit)
            for item in items:
                item.attempts = unit.attempts
                self._ledger.hand_back(item, *unit.error, cause)
            self._router.settled(items, now)
