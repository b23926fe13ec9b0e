"""How does a record that was given up become a letter, and when is that durable?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from inspect import isawaitable
from typing import TYPE_CHECKING, Final, TypeAlias

from kcl_py.errors import RecordFailed
from kcl_py.letters import DeadLetter
from kcl_py.processor.raised import root_of
from kcl_py.shell.user_errors import message_of

if TYPE_CHECKING:
    from kcl_py.core.commands import WriteLetter
    from kcl_py.processor import RunFacts
    from kcl_py.records import Record

WriteLetters: TypeAlias = Callable[[Sequence[DeadLetter]], object]

MAY_GIVE_UP: Final = frozenset({"process_records", "shard_ended"})
"""Methods whose failure may be the reason of a letter."""

MESSAGE_LENGTH_MAX: Final = 2_000
"""Characters of an error message that a letter holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRules:
    """What becomes of exceptions of user code.

    Attributes:
        give_up_on: Those that no retry can mend.
        write_letters: The sink; None: no record is ever given up with a letter.
    """

    give_up_on: tuple[type[Exception], ...] = ()
    write_letters: WriteLetters | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """What one of `MAY_GIVE_UP` raised last: text, so that no frame and no record is kept alive.

    Attributes:
        record: That of a RecordFailed; None: it was another error.
    """

    error_type: str
    error_message: str
    record: Record | None

    @classmethod
    def of(cls, error: BaseException) -> Reason:
        """Take from an exception what a letter needs."""
        root = root_of(error)
        record = error.record if isinstance(error, RecordFailed) else None
        return cls(type(root).__qualname__, message_of(root, MESSAGE_LENGTH_MAX), record)


def write_letter(
    write: WriteLetters | None,
    command: WriteLetter,
    reason: Reason | None,
    facts: RunFacts,
    wall: float,
) -> None:
    """Make the letter, and return once the sink has: then it is durable.

    Args:
        wall: Unix seconds.

    Raises:
        Exception: Whatever the sink raises.
        TypeError: It returned an awaitable, so that nothing has been written.
    """
    assert write is not None, "a policy of dead letters has a sink"
    assert reason is not None, "something was raised"
    record = command.record or reason.record
    assert record is not None, "a record is given up"
    assert record.position == command.position, "the record that is given up"
    letter = DeadLetter(
        record=record,
        app_name=facts.app_name,
        stream_arn=facts.stream_arn,
        shard_id=facts.shard_id,
        attempts=command.failures,
        error_type=reason.error_type,
        error_message=reason.error_message,
        failed_at=datetime.fromtimestamp(wall, UTC),
    )
    if isawaitable(write((letter,))):
        raise TypeError(
            "the sink of dead letters returned an awaitable, so nothing is durable; "
            "give a plain function"
        )
