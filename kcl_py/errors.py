"""What can go wrong, and whose move is it then?

    KclError
    ├── ConfigError (ValueError)          you: a setting or an argument is wrong
    ├── SetupError                        you: the world is not as the worker needs it
    │   ├── StreamNotFound
    │   ├── LeaseTableError
    │   ├── AccessDenied
    │   └── NoCredentials
    ├── LeaseLost                         nobody: another worker goes on with the shard
    ├── CheckpointOutOfRange (ValueError) you: not a position of this epoch
    ├── ServiceError                      AWS, after our retries
    │   ├── Throttled
    │   └── Unavailable
    ├── RecordError                       the data
    │   ├── RecordDecodeError (ValueError)
    │   └── RecordFailed
    ├── ProducerError                     a record on its way into a stream
    │   ├── RecordRefused (ValueError)    you: too large, a bad key, or not serializable
    │   ├── BufferFull                    you: more was put than the service takes
    │   ├── PutFailed                     one record was not delivered; it is attached
    │   └── Undelivered                   the producer ended; what is left is attached
    ├── WorkerFailed                      the worker could not go on
    └── StopTimeout                       the worker could not stop in time

Facts are attributes; the message says what happened, then what to do. Every exception pickles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from kcl_py.producer.results import PutFailure
    from kcl_py.records import Position, Record

__all__ = [
    "AccessDenied",
    "BufferFull",
    "CheckpointOutOfRange",
    "ConfigError",
    "KclError",
    "LeaseLost",
    "LeaseTableError",
    "NoCredentials",
    "ProducerError",
    "PutFailed",
    "RecordDecodeError",
    "RecordError",
    "RecordFailed",
    "RecordRefused",
    "ServiceError",
    "SetupError",
    "StopTimeout",
    "StreamNotFound",
    "Throttled",
    "Unavailable",
    "Undelivered",
    "WorkerFailed",
]


def _restore(
    kind: type[KclError], args: tuple[object, ...], facts: Mapping[str, object]
) -> KclError:
    """Make an exception again from its pickle, whatever its constructor asks for."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


class KclError(Exception):
    """Base of all. Carries facts as attributes; the message says what happened, then what to do."""

    exit_code: ClassVar[int] = 1
    """What a command that ends with this error returns to its caller."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, dict(self.__dict__))


class ConfigError(KclError, ValueError):
    """A setting or an argument is wrong; the message names it and the values that are right."""

    exit_code: ClassVar[int] = 2


class SetupError(KclError):
    """The world is not as the worker needs it; trying again without a change will not help."""


class StreamNotFound(SetupError):
    """There is no such stream in this account and region."""

    exit_code: ClassVar[int] = 3


class LeaseTableError(SetupError):
    """The lease table is missing, foreign, in migration, vanished, or restored."""

    exit_code: ClassVar[int] = 4


class AccessDenied(SetupError):
    """The credentials do not allow a call that the worker needs.

    Attributes:
        action: The IAM action, as `kinesis:GetRecords`.
        resource: Its ARN, where AWS told it.
    """

    exit_code: ClassVar[int] = 3
    action: str
    resource: str | None

    def __init__(self, message: str = "", *, action: str, resource: str | None = None) -> None:
        if action not in message:
            where = f" on {resource}" if resource else ""
            said = f" ({message})" if message else ""
            message = f"{action}{where} is denied{said}; allow it in the IAM policy"
        super().__init__(message)
        self.action = action
        self.resource = resource


class NoCredentials(SetupError):
    """No AWS credentials were found, or they have expired."""

    exit_code: ClassVar[int] = 3


class LeaseLost(KclError):
    """This epoch is over. Let it pass: the worker takes it from there; it never counts as yours.

    Raise it yourself when a sink refuses your fencing token: the shard is fenced at once and given
    up.

    Attributes:
        lease_key: Key of the lease row; None when user code raised it without saying.
    """

    lease_key: str | None

    def __init__(self, message: str = "", *, lease_key: str | None = None) -> None:
        what = f"the lease {lease_key} is" if lease_key else "the lease is"
        super().__init__(message or f"{what} no longer ours; stop processing and write nothing")
        self.lease_key = lease_key


class CheckpointOutOfRange(KclError, ValueError):
    """The position is before the last checkpoint, or beyond what was handed over.

    Attributes:
        asked: The position that was asked for.
        lowest: The last checkpoint; None: none yet.
        highest: The last position handed over; None: nothing yet.
    """

    asked: Position
    lowest: Position | None
    highest: Position | None

    def __init__(
        self,
        message: str = "",
        *,
        asked: Position,
        lowest: Position | None = None,
        highest: Position | None = None,
    ) -> None:
        super().__init__(
            message
            or f"cannot checkpoint at {asked}: this epoch allows {lowest or 'its start'} to "
            f"{highest or 'nothing yet'}; use a record of this epoch that was handed over"
        )
        self.asked = asked
        self.lowest = lowest
        self.highest = highest


class ServiceError(KclError):
    """AWS did not do what was asked, after our retries."""

    exit_code: ClassVar[int] = 3


class Throttled(ServiceError):
    """AWS refused because of a rate or capacity limit; carrying on more slowly is safe."""


class Unavailable(ServiceError):
    """AWS could not be reached, or did not answer in time."""


class RecordError(KclError):
    """Something about one record.

    Attributes:
        position: Where the record is; look it up there, for its data is in no message.
    """

    position: Position

    def __init__(self, message: str, *, position: Position) -> None:
        super().__init__(message)
        self.position = position


class RecordDecodeError(RecordError, ValueError):
    """The data of a record is not what it was decoded as."""


class RecordFailed(RecordError):
    """Says that all records before this one are finished, and that this one failed.

    Raise it as `raise RecordFailed(record) from error`. Saves the bisection. With `retry=False` it
    goes straight to the error policy's `then`.

    Attributes:
        record: The culprit.
        retry: Whether trying again may help.
    """

    record: Record
    retry: bool

    def __init__(self, record: Record, message: str = "", *, retry: bool = True) -> None:
        super().__init__(
            message or f"the record at {record.position} failed; its cause says why",
            position=record.position,
        )
        self.record = record
        self.retry = retry


class WorkerFailed(KclError):
    """The worker could not go on; its cause says why."""


class StopTimeout(KclError):
    """User code did not return within `stop_grace`; its leases expire instead of moving at once."""

    exit_code: ClassVar[int] = 5


class ProducerError(KclError):
    """Something about records on their way into a stream."""


class RecordRefused(ProducerError, ValueError):
    """Too large, a bad key, or not serializable; raised by `put`, nothing was queued.

    Attributes:
        index: Of the record in a `put_many`, which has queued all before it; else None.
    """

    index: int | None = None


class BufferFull(ProducerError):
    """There is no room for this record, and nothing was queued.

    Attributes:
        index: Of the record in a `put_many`, which has queued all before it; else None.
    """

    index: int | None = None


class PutFailed(ProducerError):
    """A record was not delivered.

    Attributes:
        failure: The record, whole, and why.
    """

    failure: PutFailure

    def __init__(self, message: str = "", *, failure: PutFailure) -> None:
        reason = failure.error_message
        if not reason.startswith(failure.error_code):  # of a whole request it says the code too
            reason = f"{failure.error_code}: {reason}"
        if failure.next_step:
            reason += f"; {failure.next_step}"
        super().__init__(message or f"a record was {_undelivered(failure.attempts)}: {reason}")
        self.failure = failure


class Undelivered(ProducerError):
    """A producer ended with records that it could not deliver.

    Attributes:
        failures: The records, whole, and why.
    """

    failures: Sequence[PutFailure]

    def __init__(self, message: str = "", *, failures: Sequence[PutFailure]) -> None:
        codes = ", ".join(sorted({failure.error_code for failure in failures}))
        steps = dict.fromkeys(failure.next_step for failure in failures if failure.next_step)
        many = len(failures) != 1
        count, where = ("records were", "they are") if many else ("record was", "it is")
        super().__init__(
            message
            or "; ".join(
                [
                    f"{len(failures)} {count} not delivered ({codes})",
                    *steps,
                    f"{where} in `failures`",
                ]
            )
        )
        self.failures = tuple(failures)


def _undelivered(attempts: int) -> str:
    if attempts == 0:
        return "never sent"
    return f"not delivered in {attempts} attempt{'' if attempts == 1 else 's'}"
