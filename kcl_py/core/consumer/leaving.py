"""What does a drain mean to a consumer, in the state that it is in? A pure judgement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kcl_py.core.consumer.states import Signal, State

if TYPE_CHECKING:
    from kcl_py.core.consumer.running import Running


@dataclass(frozen=True, slots=True)
class Step:
    """What is done about it.

    Attributes:
        signal: None: nothing, for it stops already, or ends by itself.
        goes_on: No call is running: do what the new state asks for.
        stops_reading: But for the page that is in the hands of user code.
    """

    signal: Signal | None = None
    goes_on: bool = False
    stops_reading: bool = False


_BETWEEN_CALLS: Final = (
    State.PROCESSING,
    State.RETRYING,
    State.LETTER_RETRYING,
    State.PAUSED,
    State.FINISHING,
    State.END_RETRYING,
)
_NOTHING: Final = Step()
_LATER: Final = Step(Signal.DRAIN)
_AFTER_THE_CALL: Final = Step(Signal.DRAIN, stops_reading=True)
_SHUT: Final = Step(Signal.SHUT, goes_on=True)
_LEAVE: Final = Step(Signal.LEAVE, goes_on=True)
_CLOSE: Final = Step(Signal.BROKEN, goes_on=True)


def step_of(state: State, run: Running | None) -> Step:
    """Return what a drain changes.

    An explicit object whose call has raised is only closed, for it may hold half a buffer.
    """
    is_busy = run is not None and run.is_busy
    is_auto = run is None or run.is_auto
    match state:
        case State.INITIALIZING | State.RESTARTING:
            return _LATER
        case State.GIVING_UP:
            return _AFTER_THE_CALL
        case State.PROCESSING if is_busy:
            return _AFTER_THE_CALL
        case State.LETTER_RETRYING if not is_auto:
            return _CLOSE
        case State.WAITING | State.BACKING_OFF | State.PAUSED if run is None:
            return _LEAVE
        case _ if state in _BETWEEN_CALLS:
            return _SHUT
        case _:
            return _NOTHING
