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
    on_their_way: deque[tuple[Stored, OnItsWay]] = deque()
    try:
        for stored in _readable(store.read(), outcome):
            if stored.letter is None or not wanted(stored):
                continue
            try:
                on_their_way.append((stored, put(stored.letter)))
            except failures as error:
                outcome.failed[stored.name] = str(error)
            if len(on_their_way) >= WINDOW:
                _settle(store, *on_their_way.popleft(), outcome, failures)
            if outcome.not_taken_out:
                break
    finally:
        while on_their_way:
            _settle(store, *on_their_way.popleft(), outcome, failures)


def _readable(found: Iterable[Stored], outcome: Outcome) -> Iterable[Stored]:
    for stored in found:
        if stored.problem is not None:
            outcome.unreadable[stored.name] = stored.problem
        else:
            yield stored


def _settle(
    store: Store,
    stored: Stored,
    record: OnItsWay,
    outcome: Outcome,
    failures: tuple[type[Exception], ...],
) -> None:
    try:
        record.result()
    except failures as error:
        outcome.failed[stored.name] = str(error)
        return
    try:
        store.take_out(stored)
    except (KclError, OSError) as error:
        outcome.not_taken_out[stored.name] = str(error)
        return
    outcome.delivered += 1
