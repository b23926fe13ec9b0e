"""What did a call of `process_records` finish, and which records are not needed any more?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcl_py.core.consumer.buffer import Slice
    from kcl_py.core.consumer.checkpoints import Checkpoints
    from kcl_py.core.consumer.running import Running
    from kcl_py.core.consumer.supply import Supply
    from kcl_py.core.events import UserError


def account(
    now: float,
    run: Running,
    part: Slice | None,
    error: UserError | None,
    checkpoints: Checkpoints,
    supply: Supply,
) -> None:
    """Note what of the batch is finished, and let go of it.

    Returning finishes a whole batch (auto). RecordFailed finishes what comes before its record
    (auto). What is let go of is not repeated to this object.
    """
    if error is None:
        if part is not None and run.is_auto:
            checkpoints.finish(now, part.last, urgent=False)
        if part is not None:
            supply.advance(part.last)
    elif run.is_auto:
        good = part.before(error.failed_at) if part and error.failed_at else None
        if good is not None:
            checkpoints.finish(now, good, urgent=False)
