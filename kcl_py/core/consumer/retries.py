"""After a failure of user code: when is it tried again, and is the shard red?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from kcl_py.config import Backoff, OnError


def longest_wait_seconds(backoff: Backoff, failures: int) -> float:
    """Return what the wait after so many failures grows to, before jitter."""
    wait = min(backoff.first, backoff.longest)
    for _ in range(failures - 1):
        if wait >= backoff.longest or backoff.factor <= 1.0:
            break
        wait = min(backoff.longest, wait * backoff.factor)
    return wait


def wait_seconds(backoff: Backoff, failures: int, rng: Random) -> float:
    """Draw the wait after so many failures, from 1."""
    wait = longest_wait_seconds(backoff, failures)
    return rng.uniform(0.0, wait) if backoff.jitter else wait


class Tries:
    """Failures of one shard's user code since anything was last finished."""

    def __init__(self, policy: OnError, rng: Random) -> None:
        self._policy = policy
        self._rng = rng
        self.failures = 0
        self.is_red = False
        self.last_error: str | None = None

    @property
    def attempt(self) -> int:
        """1 at first."""
        return self.failures + 1

    @property
    def is_paused(self) -> bool:
        """The policy says that nothing more is tried."""
        return self.is_red and self._policy.then == "pause"

    def failed(self, error: str, *, may_retry: bool) -> None:
        """Count one more.

        Args:
            error: For status.
            may_retry: False: straight to what applies after all attempts.
        """
        self.failures += 1
        self.last_error = error
        if self.failures >= self._policy.attempts or not may_retry:
            self.is_red = True

    def wait(self, failures: int | None = None) -> float:
        """Draw the seconds until the next try.

        Args:
            failures: So often failed what is tried next; None: count all, and once it is red wait
                as long as is ever waited.
        """
        backoff = self._policy.backoff
        if failures is not None or not self.is_red:
            return wait_seconds(backoff, failures or self.failures, self._rng)
        return self._rng.uniform(0.0, backoff.longest) if backoff.jitter else backoff.longest

    def progressed(self, *, stays_red: bool = False) -> bool:
        """Something was finished: start counting anew; True if it was red and is no more."""
        self.failures = 0
        if stays_red:
            return False
        was_red, self.is_red = self.is_red, False
        return was_red
