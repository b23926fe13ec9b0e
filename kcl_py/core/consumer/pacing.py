"""When may a shard be read next? Soon while it brings records, and never beyond what all may read.

**Busy and idle.** A read that brought records, or ended behind the tip, is followed by the next one
after `busy_interval`. From then on the wait is a quarter of the time since: a record that comes
after a quiet second is noticed at most a quarter of a second late, one after a quiet minute at most
`idle_interval` late. The first records bring the shard back to `busy_interval` at once.

**Others.** All standard consumers of a shard share 5 calls and 2 MB a second. Whoever is throttled
learns that there are others, and takes `crowd` times as long from call to call: more with each
throttle, the same while the newest one is young, then slowly less. So consumers that know nothing
of each other come to about equal shares, and only now and then does one try for more.
"""

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

QUIET_SHARE: Final = 0.25
"""The wait before the next read, as a part of the time since one brought something."""

CROWD_MAX: Final = 5.0
"""Then each of five consumers reads once a second, which is as many as the service has room for."""

CROWD_GROWTH: Final = 1.33
"""At each throttle. Less takes long to make room; more wastes what others do not use."""

CROWD_HOLD_SECONDS: Final = 30.0
"""How long after a throttle nothing more is tried: of 60 calls at 2 a second one is throttled."""

CROWD_HALF_LIFE_SECONDS: Final = 15.0
"""After that, the time in which `crowd` halves. A lone consumer is back at full pace 65 seconds
after the last throttle, whatever came before."""

YIELD_SECONDS_MAX: Final = 4.0
"""What a crowd adds to the time that a page takes of the shard's 2 MB a second. A page of 10 MB
silences the shard for 5 s; who waited five times as long would leave most of it unused."""

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
        self._quiet_since: float | None = None
        self._crowd = 1.0
        self._crowd_until = 0.0
        self._failures = 0

    @property
    def next_at(self) -> float:
        """The clock reading from which the next read may be sent."""
        return max(self._allowed_at, self._wanted_at)

    def hurry(self) -> None:
        """Reading starts somewhere else: it is not at the tip any more."""
        self._wanted_at = 0.0
        self._quiet_since = None

    def called(self, now: float) -> None:
        """A read is being sent."""
        self._called_at = now
        if self._quiet_since is None:
            self._quiet_since = now
        self._thin_out(now)
        self._allowed_at = max(self._allowed_at, now + CALL_SPACING_SECONDS * self._crowd)

    def answered(self, bytes_read: int, lag: float, *, has_records: bool) -> None:
        """A read brought so many bytes, and the shard goes on for `lag` more seconds."""
        self._failures = 0
        if has_records or lag > 0 or self._quiet_since is None:
            self._quiet_since = self._called_at
        quiet = self._called_at - self._quiet_since
        interval = min(quiet * QUIET_SHARE, self._config.idle_interval)
        self._wanted_at = self._called_at + max(interval, self._config.busy_interval)
        seconds = bytes_read / BYTES_PER_SECOND
        self._bytes_until = max(self._bytes_until, self._called_at) + seconds
        others = min(seconds * (self._crowd - 1.0), YIELD_SECONDS_MAX)
        self._allowed_at = max(self._allowed_at, self._bytes_until + others)

    def failed(self, now: float, kind: FailureKind) -> float:
        """A read failed; return the seconds until the next one."""
        if kind is FailureKind.THROTTLED:
            self._crowd = min(self._crowd * CROWD_GROWTH, CROWD_MAX)
            self._crowd_until = now + CROWD_HOLD_SECONDS
            spacing = CALL_SPACING_SECONDS * self._crowd
            self._allowed_at = max(self._allowed_at, self._called_at + spacing)
        if kind is not FailureKind.EXPIRED:
            self._failures += 1
            backoff = LONG_BACKOFF if kind in _LONG else READ_BACKOFF
            wait = wait_seconds(backoff, self._failures, self._rng)
            self._allowed_at = max(self._allowed_at, now + wait)
        return max(0.0, self.next_at - now)

    def _thin_out(self, now: float) -> None:
        """Nobody has been in the way for a while: take up more room again."""
        if self._crowd > 1.0 and now > self._crowd_until:
            halvings = (now - self._crowd_until) / CROWD_HALF_LIFE_SECONDS
            self._crowd = max(1.0, self._crowd / 2.0**halvings)
            self._crowd_until = now
