"""When is a call of set-up or control repeated? The only retry policies there are.

Lease writes and GetRecords are single attempts: the core owns their retries, because it knows the
fence or the pace that they hang on. botocore's own retries are off everywhere.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

import tenacity

from kcl_py.aws.failures import describe, kind_of
from kcl_py.core.events import FailureKind

_log = logging.getLogger(__name__)

ATTEMPTS_MAX: Final = 6
WAIT_SECONDS_FIRST: Final = 0.2
WAIT_SECONDS_MAX: Final = 5.0
POLL_SECONDS_FIRST: Final = 0.1
POLL_SECONDS: Final = 2.0
POLL_TOTAL_SECONDS: Final = 600
POLLS_MAX: Final = 306
"""Ten minutes, for a table or a stream that is being created."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Patience:
    """How calls of set-up wait.

    Attributes:
        sleep: Waits so many seconds, or until the worker is asked to stop.
        is_stopping: The worker was asked to stop: give up.
        rng: Spreads the waits of many workers.
    """

    sleep: Callable[[float], object] = time.sleep
    is_stopping: Callable[[], bool] = _never
    rng: random.Random = field(default_factory=random.Random)


def poll_seconds(round_number: int) -> float:
    """Return how long to wait before looking again: soon at first, then every POLL_SECONDS."""
    return float(min(POLL_SECONDS, POLL_SECONDS_FIRST * 1.5 ** min(round_number, 20)))


def control_calls(
    patience: Patience,
    *,
    attempts: int = ATTEMPTS_MAX,
    kinds: Collection[FailureKind] = (FailureKind.THROTTLED, FailureKind.UNKNOWN),
) -> tenacity.Retrying:
    """Repeat what was throttled or got no usable answer, with full jitter, then raise it.

    Use it as `control_calls(patience)(client.some_call, Parameter=value)`.

    Args:
        patience: How to wait.
        attempts: At most.
        kinds: What is repeated. A change whose answer got lost may have been made.
    """

    def wait(state: tenacity.RetryCallState) -> float:
        longest = min(WAIT_SECONDS_MAX, WAIT_SECONDS_FIRST * 2**state.attempt_number)
        return patience.rng.uniform(0.0, longest)

    def stop(state: tenacity.RetryCallState) -> bool:
        return patience.is_stopping() or state.attempt_number >= attempts

    def may_pass(error: BaseException) -> bool:
        return isinstance(error, Exception) and kind_of(error) in kinds

    def sleep(seconds: float) -> None:
        patience.sleep(seconds)

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(may_pass),
        wait=wait,
        stop=stop,
        sleep=sleep,
        before_sleep=_log_retry,
        reraise=True,
    )


def _log_retry(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    said = describe(error) if error else ""
    facts = {"attempt": state.attempt_number, "problem": said}
    _log.warning("aws.retry_scheduled", extra=facts)
