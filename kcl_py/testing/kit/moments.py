"""How does code under test say that it has come to a point at which it would hurt to die?"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_told: ContextVar[Callable[[str], None] | None] = ContextVar("told", default=None)


def moment(name: str) -> None:
    """Say that your code is here, so that `CrashAt` and `LoseLeaseAt` may strike.

    Call it from a double of your sink, or from a subclass made for the test. Where no simulated
    run is under way nothing happens.
    """
    told = _told.get()
    if told is not None:
        told(name)


@contextmanager
def moments_go_to(told: Callable[[str], None]) -> Iterator[None]:
    """Tell someone of every moment that user code names in this block."""
    token = _told.set(told)
    try:
        yield
    finally:
        _told.reset(token)
