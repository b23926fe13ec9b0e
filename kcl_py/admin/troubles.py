"""What is told to whoever repairs, when a call on the lease table or the stream fails?"""

from __future__ import annotations

from kcl_py.aws.tools import TableMissing
from kcl_py.core.events import Failure, FailureKind
from kcl_py.errors import (
    AccessDenied,
    KclError,
    LeaseTableError,
    SetupError,
    Throttled,
    Unavailable,
)


class Unsafe(SetupError):
    """It would not be safe now; the message says what to do first."""

    exit_code = 4


class Unknown(SetupError):
    """Not all that was asked for could be found out."""

    exit_code = 3


def table_error(failure: Failure) -> KclError:
    """What to raise for a call on the lease table that failed."""
    said = f"{failure.action}: {failure.message}"
    match failure.kind:
        case FailureKind.DENIED:
            return AccessDenied(failure.message, action=failure.action)
        case FailureKind.GONE:
            return TableMissing(f"the lease table is gone ({said})")
        case FailureKind.THROTTLED:
            return Throttled(f"the lease table is throttled ({said}); try again later")
        case FailureKind.INVALID:
            return LeaseTableError(f"the lease table refuses the call ({said})")
        case _:
            return Unavailable(f"no usable answer ({said}); check network, endpoint and region")
