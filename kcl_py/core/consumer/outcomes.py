"""What does it mean that a call of user code returned, or raised? A pure judgement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kcl_py.core.consumer.states import Signal
from kcl_py.core.events import UserError

if TYPE_CHECKING:
    from kcl_py.core.commands import Method

UNFINISHED: Final = UserError(
    kind="error",
    summary="shard_ended returned while delivered records were not checkpointed; checkpoint them",
)


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
