"""Which states does the consumer of a shard go through, and what moves it? One table, nothing else.

A pair that the table does not list is a bug of ours: it raises and changes nothing. The picture in
`docs/reference/consumer-states.md` is drawn from this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kcl_py.status import ShardState


class State(StrEnum):
    """Where the consumer of one shard is in its life."""

    WAITING = "waiting"
    """The lease is ours; parents are not finished, or nothing was begun yet."""
    INITIALIZING = "initializing"
    """There is an object; `initialize` runs."""
    PROCESSING = "processing"
    """Records are read and delivered."""
    RETRYING = "retrying"
    """`process_records` raised; the same object tries again after the back-off."""
    RESTARTING = "restarting"
    """The object is being closed; a fresh one follows in the same epoch."""
    BACKING_OFF = "backing_off"
    """No object; a fresh one is made after the back-off."""
    PAUSED = "paused"
    """Nothing is tried until somebody says so."""
    GIVING_UP = "giving_up"
    """The letter of a record that is given up is being written."""
    LETTER_RETRYING = "letter_retrying"
    """The sink of dead letters raised; it is asked again after the back-off."""
    LETTER_DRAINING = "letter_draining"
    """A drain was asked for while a letter is being written."""
    INTERRUPTED = "interrupted"
    """A drain was asked for while `initialize` runs."""
    DRAINING = "draining"
    """A drain was asked for while `process_records` runs."""
    SHUTTING_DOWN = "shutting_down"
    """`shutdown_requested`, then `close`."""
    LEAVING = "leaving"
    """A drain was asked for while an object that failed is being closed."""
    DRAINED = "drained"
    """No object, and none follows unless the handoff is cancelled."""
    FINISHING = "finishing"
    """The whole shard was delivered; the leases of its children are being created."""
    ENDING = "ending"
    """`shard_ended` runs."""
    END_RETRYING = "end_retrying"
    """`shard_ended` raised; it is called again after the back-off."""
    CLOSING = "closing"
    """`shard_ended` returned; `close` runs."""
    LOST = "lost"
    """The lease is not ours any more: the running call returns, then `lease_lost`, then `close`."""
    ENDED = "ended"
    """No object, and none follows."""


class Signal(StrEnum):
    """What moves it."""

    START = "start"
    """A processor object is made."""
    WAIT = "wait"
    """Parents are still not finished."""
    READY = "ready"
    """`initialize` returned."""
    RETURNED = "returned"
    """The running call did what it should."""
    FAILED = "failed"
    """The running call raised; the same object may go on."""
    BROKEN = "broken"
    """The object must go: a call of it raised."""
    AGAIN = "again"
    """The back-off is over, or somebody resumed a paused shard."""
    PAUSE = "pause"
    """The error policy says so."""
    GIVE_UP = "give_up"
    """The error policy says so of one record."""
    READ = "read"
    """Everything was delivered, and the call returned."""
    CHILDREN = "children"
    """The leases of the children exist."""
    DRAIN = "drain"
    """Stop, once the running call has returned."""
    SHUT = "shut"
    """Stop now: no call runs."""
    LEAVE = "leave"
    """Stop now: there is no object."""
    RESUME = "resume"
    """The handoff was cancelled before `shutdown_requested`."""
    CLOSED = "closed"
    """There is no object any more."""
    LOSE = "lose"
    """The lease is not ours any more."""


_BEFORE_THE_END: Final = tuple(state for state in State if state not in (State.LOST, State.ENDED))

TABLE: Final[Mapping[tuple[State, Signal], State]] = MappingProxyType(
    {
        (State.WAITING, Signal.START): State.INITIALIZING,
        (State.WAITING, Signal.LEAVE): State.DRAINED,
        (State.INITIALIZING, Signal.READY): State.PROCESSING,
        (State.INITIALIZING, Signal.BROKEN): State.RESTARTING,
        (State.INITIALIZING, Signal.DRAIN): State.INTERRUPTED,
        (State.PROCESSING, Signal.RETURNED): State.PROCESSING,
        (State.PROCESSING, Signal.FAILED): State.RETRYING,
        (State.PROCESSING, Signal.BROKEN): State.RESTARTING,
        (State.PROCESSING, Signal.GIVE_UP): State.GIVING_UP,
        (State.PROCESSING, Signal.READ): State.FINISHING,
        (State.PROCESSING, Signal.DRAIN): State.DRAINING,
        (State.PROCESSING, Signal.SHUT): State.SHUTTING_DOWN,
        (State.RETRYING, Signal.AGAIN): State.PROCESSING,
        (State.RETRYING, Signal.PAUSE): State.PAUSED,
        (State.RETRYING, Signal.SHUT): State.SHUTTING_DOWN,
        (State.RESTARTING, Signal.CLOSED): State.BACKING_OFF,
        (State.RESTARTING, Signal.DRAIN): State.LEAVING,
        (State.BACKING_OFF, Signal.START): State.INITIALIZING,
        (State.BACKING_OFF, Signal.PAUSE): State.PAUSED,
        (State.BACKING_OFF, Signal.LEAVE): State.DRAINED,
        (State.PAUSED, Signal.AGAIN): State.PROCESSING,
        (State.PAUSED, Signal.START): State.INITIALIZING,
        (State.PAUSED, Signal.SHUT): State.SHUTTING_DOWN,
        (State.PAUSED, Signal.LEAVE): State.DRAINED,
        (State.GIVING_UP, Signal.RETURNED): State.PROCESSING,
        (State.GIVING_UP, Signal.BROKEN): State.RESTARTING,
        (State.GIVING_UP, Signal.FAILED): State.LETTER_RETRYING,
        (State.GIVING_UP, Signal.DRAIN): State.LETTER_DRAINING,
        (State.LETTER_RETRYING, Signal.AGAIN): State.GIVING_UP,
        (State.LETTER_RETRYING, Signal.SHUT): State.SHUTTING_DOWN,
        (State.LETTER_RETRYING, Signal.BROKEN): State.LEAVING,
        (State.LETTER_DRAINING, Signal.RETURNED): State.SHUTTING_DOWN,
        (State.LETTER_DRAINING, Signal.FAILED): State.SHUTTING_DOWN,
        (State.LETTER_DRAINING, Signal.BROKEN): State.LEAVING,
        (State.LETTER_DRAINING, Signal.RESUME): State.GIVING_UP,
        (State.INTERRUPTED, Signal.READY): State.SHUTTING_DOWN,
        (State.INTERRUPTED, Signal.BROKEN): State.LEAVING,
        (State.INTERRUPTED, Signal.RESUME): State.INITIALIZING,
        (State.DRAINING, Signal.RETURNED): State.SHUTTING_DOWN,
        (State.DRAINING, Signal.FAILED): State.SHUTTING_DOWN,
        (State.DRAINING, Signal.BROKEN): State.LEAVING,
        (State.DRAINING, Signal.RESUME): State.PROCESSING,
        (State.SHUTTING_DOWN, Signal.CLOSED): State.DRAINED,
        (State.LEAVING, Signal.CLOSED): State.DRAINED,
        (State.LEAVING, Signal.RESUME): State.RESTARTING,
        (State.DRAINED, Signal.START): State.INITIALIZING,
        (State.DRAINED, Signal.WAIT): State.WAITING,
        (State.FINISHING, Signal.CHILDREN): State.ENDING,
        (State.FINISHING, Signal.SHUT): State.SHUTTING_DOWN,
        (State.ENDING, Signal.RETURNED): State.CLOSING,
        (State.ENDING, Signal.FAILED): State.END_RETRYING,
        (State.ENDING, Signal.BROKEN): State.RESTARTING,
        (State.ENDING, Signal.GIVE_UP): State.GIVING_UP,
        (State.END_RETRYING, Signal.AGAIN): State.ENDING,
        (State.END_RETRYING, Signal.SHUT): State.SHUTTING_DOWN,
        (State.CLOSING, Signal.CLOSED): State.ENDED,
        (State.LOST, Signal.CLOSED): State.ENDED,
    }
    | {(state, Signal.LOSE): State.LOST for state in _BEFORE_THE_END}
)

SHOWN: Final[Mapping[State, ShardState]] = MappingProxyType(
    {
        State.WAITING: "waiting_for_parents",
        State.INITIALIZING: "initializing",
        State.PROCESSING: "processing",
        State.RETRYING: "retrying",
        State.RESTARTING: "retrying",
        State.BACKING_OFF: "retrying",
        State.PAUSED: "paused",
        State.GIVING_UP: "retrying",
        State.LETTER_RETRYING: "retrying",
        State.LETTER_DRAINING: "draining",
        State.INTERRUPTED: "draining",
        State.DRAINING: "draining",
        State.SHUTTING_DOWN: "draining",
        State.LEAVING: "draining",
        State.DRAINED: "draining",
        State.FINISHING: "processing",
        State.ENDING: "processing",
        State.END_RETRYING: "retrying",
        State.CLOSING: "ended",
        State.LOST: "draining",
        State.ENDED: "ended",
    }
)
"""What `status()` says of each."""


class ImpossibleSignal(Exception):
    """The table does not list this pair: a bug of ours."""

    def __init__(self, state: State, signal: Signal) -> None:
        super().__init__(f"the consumer of a shard that is {state} cannot be told {signal}")


def next_state(state: State, signal: Signal) -> State:
    """Return the state that follows.

    Raises:
        ImpossibleSignal: The table does not list the pair.
    """
    following = TABLE.get((state, signal))
    if following is None:
        raise ImpossibleSignal(state, signal)
    return following


def draw() -> str:
    """Draw the table as a Mermaid diagram; `lose`, possible nearly everywhere, is a note."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.WAITING}"]
    lines += [
        f"    {state} --> {following}: {signal}"
        for (state, signal), following in TABLE.items()
        if signal is not Signal.LOSE
    ]
    lines += [f"    {State.ENDED} --> [*]"]
    lines += [f"    note left of {State.LOST}: from every state before the end, on {Signal.LOSE}"]
    return "\n".join(lines) + "\n"
