"""What does it mean that a call of user code returned, or raised? A pure judgement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kcl_py.core.consumer.progress import is_behind
from kcl_py.core.consumer.states import Signal
from kcl_py.core.events import UserError

if TYPE_CHECKING:
    from kcl_py.core.commands import Method
    from kcl_py.core.consumer.progress import Progress
    from kcl_py.core.events import CallReturned

UNFINISHED: Final = UserError(
    kind="error",
    summary="shard_ended returned while delivered records were not checkpointed; checkpoint them",
)


def error_of(event: CallReturned, progress: Progress, *, is_auto: bool) -> UserError | None:
    """Return what a call raised; an explicit processor must have finished all at a shard's end."""
    if event.method == "shard_ended" and event.error is None and not is_auto:
        return UNFINISHED if is_behind(progress.finished, progress.delivered) else None
    return event.error


def judge(method: Method, error: UserError | None, *, is_auto: bool) -> Signal:
    """Return what a call tells the state machine, inside the fence.

    After an error of `process_records` an explicit processor must go, for it may hold half a
    buffer; an auto one gets the rest again. SystemExit is no error: the object is shut down.
    """
    if error is None:
        return Signal.READY if method == "initialize" else Signal.RETURNED
    if error.kind == "lease_lost":
        return Signal.LOSE
    if method == "initialize":
        return Signal.BROKEN
    if method == "process_records" and error.kind == "error" and not is_auto:
        return Signal.BROKEN
    return Signal.FAILED
