"""When may a shard be read next? At most 5 calls and 2 MB a second, less when it is quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kcl_py.config import Backoff
from kcl_py.core.consumer.retries import wait_seconds
from kcl_py.core.events import FailureKind

if TYPE_CHECKING:
    from random import Random

    from kcl_py.config import PollingConfig

CALL_SPACING_SECONDS: Final = 0.2002
"""5 calls per shard and second; a thousandth more, so that sums of floats never come out below.
Source: GetRecords, quotas."""

BYTES_PER_SECOND: Final = 2_000_000
"""Source: GetRecords, quotas: 2 MB per shard and second."""

READ_BACKOFF: Final = Backoff(first=0.4, longest=10.0)
LONG_BACKOFF: Final = Backoff(first=5.0, longest=60.0)
"""For what does not mend by itself soon: no permission, no such stream."""

_LONG: Final = frozenset({FailureKind.DENIED, FailureKind.GONE, FailureKind.INVALID})


class Pacing:
    """The rhythm of reads of one shard by this worker, over all epochs."""

    def __init__(self, config: PollingConfig, rng: Random) -> None:
        self._config = config
        self._rng = rng
        self._allowed_at = 0.0
        self._wanted_at = 0.0
        self._called_at = 0.0
        self._bytes_until = 0.0
        self._failures = 0

    @property
    def next_at(self) -> float:
        """The clock reading from which the next read may be sent."""
        return max(self._allowed_at, self._wanted_at)

    def hurry(self) -> None:
        """Reading starts somewhere else: it is not at the tip any more."""
        self._wanted_at = 0.0

    def called(self, now: float) -> None:
        """A read is being sent."""
        self._called_at = now
        self._allowed_at = max(self._allowed_at, now + CALL_SPACING_SECONDS)

    def answered(self, bytes_read: int, lag: float) -> None:
        """A read brought so many bytes, and the shard goes on for `lag` more seconds."""
        self._failures = 0
        interval = self._config.busy_interval if lag > 0 else self._config.idle_interval
        self._bytes_until = max(self._bytes_until, self._called_at) + bytes_read / BYTES_PER_SECOND
        self._allowed_at = max(self._allowed_at, self._bytes_until)
        self._wanted_at = self._called_at + interval

    def failed(self, now: float, kind: FailureKind) -> float:
        """A read failed; return the seconds until the next one."""
        if kind is not FailureKind.EXPIRED:
            self._failures += 1
            backoff = LONG_BACKOFF if kind in _LONG else READ_BACKOFF
            wait = wait_seconds(backoff, self._failures, self._rng)
            self._allowed_at = max(self._allowed_at, now + wait)
        return max(0.0, self.next_at - now)
