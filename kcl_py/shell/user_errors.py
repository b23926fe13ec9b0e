"""What does an exception of user code mean to the core? And what of it may be logged?"""

from __future__ import annotations

import asyncio
import traceback
from typing import Final

from kcl_py.core.events import UserError
from kcl_py.errors import RecordFailed
from kcl_py.processor.kinds import NothingMade
from kcl_py.processor.raised import is_lease_lost, root_of

MESSAGE_LENGTH_MAX: Final = 200
"""Characters of a message that `status()` shows; it is the user's own and may quote data."""

FRAMES_MAX: Final = 20


def user_error(
    error: BaseException, *, is_fenced: bool, give_up_on: tuple[type[Exception], ...] = ()
) -> UserError:
    """Tell the core what was raised.

    Args:
        is_fenced: Past the fence a cancelled call was cancelled by us.
        give_up_on: Exceptions that no retry can mend; also as the cause of a RecordFailed.
    """
    summary, detail = _summary(error), _detail(error)
    if is_lease_lost(error) or (is_fenced and isinstance(error, asyncio.CancelledError)):
        return UserError(kind="lease_lost", summary=summary, detail=detail)
    if isinstance(error, SystemExit | KeyboardInterrupt):
        return UserError(kind="exit", summary=summary, detail=detail)
    if isinstance(error, RecordFailed):
        hopeless = isinstance(error.__cause__, give_up_on)
        return UserError(
            kind="error",
            summary=summary,
            detail=detail,
            failed_at=error.position,
            may_retry=error.retry and not hopeless,
        )
    may_retry = not isinstance(error, give_up_on)
    return UserError(kind="error", summary=summary, detail=detail, may_retry=may_retry)


def stack_of(error: BaseException) -> list[str]:
    """Where it was raised, innermost last: places in code, neither message nor values."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    return [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]


def _summary(error: BaseException) -> str:
    root = root_of(error)
    if isinstance(root, NothingMade):
        return str(root)  # our own words
    # A cause that was never raised has no place of its own.
    frames = traceback.extract_tb(root.__traceback__) or traceback.extract_tb(error.__traceback__)
    text = type(root).__qualname__
    if frames:
        text += f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}"
    return f"{text} (record {error.position})" if isinstance(error, RecordFailed) else text


def message_of(error: BaseException, length_max: int) -> str:
    """Return what an error says, cut; it is the user's own, and may quote data."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ of the user's
        message = ""
    return message if len(message) <= length_max else message[: length_max - 1] + "…"


def _detail(error: BaseException) -> str:
    root = root_of(error)
    name = type(root).__qualname__
    message = message_of(root, MESSAGE_LENGTH_MAX)
    text = f"{name}: {message}" if message else name
    return text if len(text) <= MESSAGE_LENGTH_MAX else text[: MESSAGE_LENGTH_MAX - 1] + "…"
