"""How do dead letters come back into their stream? Each is taken out only once it is delivered.

What stops midway has lost nothing: a letter that was delivered and not yet taken out is delivered
once more the next time, as the promise is at least once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from kcl_py.errors import KclError

if TYPE_CHECKING:
    from kcl_py.dead_letters.stored import Stored
    from kcl_py.dead_letters.stores import Store
    from kcl_py.letters import DeadLetter

WINDOW: Final = 500
"""So many letters are on their way at most, and may come twice if the command is killed."""


class OnItsWay(Protocol):
    """One record that was put."""

    def result(self) -> object:
        """Return once it is delivered; raise if it is not."""


@dataclass(slots=True)
class Outcome:
    """What came of it.

    Attributes:
        delivered: So many letters are in their stream, and taken out.
        failed: Names of those that are not, and why not; they are kept.
        unreadable: What is there and is no letter, and why not; it is kept.
        not_taken_out: Names of those that are in their stream and still there, and why. Then
            nothing more was put: it would come twice as well.
    """

    delivered: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    not_taken_out: dict[str, str] = field(default_factory=dict)


def redrive(
    store: Store,
    put: Callable[[DeadLetter], OnItsWay],
    *,
    wanted: Callable[[Stored], bool],
    outcome: Outcome,
    failures: tuple[type[Exception], ...],
) -> None:
    """Put letters back, and take out what was delivered; so too what is under way at an exception.

    Args:
        store: Where they are.
        put: Puts one into its stream.
        wanted: Which ones.
        outcome: Counted here as it goes on, so that it is there after an interruption.
        failures: What `put` and `result` raise for a letter that is not delivered.
    """
    driver = _Driver(store, put, wanted, outcome, failures)
    try:
        before = None
        while outcome.delivered != before:
            before = outcome.delivered
            driver.read()
            driver.settle(0)
            if store.shows_at_once is None or outcome.not_taken_out:
                break
    finally:
        driver.settle(0)


@dataclass(slots=True)
class _Driver:
    """What is under way."""

    store: Store
    put: Callable[[DeadLetter], OnItsWay]
    wanted: Callable[[Stored], bool]
    outcome: Outcome
    failures: tuple[type[Exception], ...]
    on_their_way: deque[tuple[Stored, OnItsWay]] = field(default_factory=deque)

    def read(self) -> None:
        """Put what the store shows."""
        most = self.store.shows_at_once
        for stored in _readable(self.store.read(), self.outcome):
            if stored.letter is None or not self.wanted(stored):
                continue
            try:
                self.on_their_way.append((stored, self.put(stored.letter)))
            except self.failures as error:
                self.outcome.failed[stored.name] = str(error)
            if most is None:
                self.settle(WINDOW - 1)
            elif len(self.on_their_way) >= most:
                self.settle(0)
            if self.outcome.not_taken_out:
                break

    def settle(self, left: int) -> None:
        """Wait for the oldest, until no more than so many are under way."""
        while len(self.on_their_way) > left:
            stored, record = self.on_their_way.popleft()
            try:
                record.result()
            except self.failures as error:
                self.outcome.failed[stored.name] = str(error)
                continue
            try:
                self.store.take_out(stored)
            except (KclError, OSError) as error:
                self.outcome.not_taken_out[stored.name] = str(error)
                continue
            self.outcome.delivered += 1


def _readable(found: Iterable[Stored], outcome: Outcome) -> Iterable[Stored]:
    for stored in found:
        if stored.problem is not None:
            outcome.unreadable[stored.name] = stored.problem
        else:
            yield stored
