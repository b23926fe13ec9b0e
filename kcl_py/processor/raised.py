"""What does an exception of user code really say?"""

from __future__ import annotations

from kcl_py.errors import LeaseLost, RecordFailed


def root_of(error: BaseException) -> BaseException:
    """Return what really happened: RecordFailed only says to which record."""
    cause = error.__cause__
    return cause if isinstance(error, RecordFailed) and cause is not None else error


def is_lease_lost(error: BaseException) -> bool:
    """Say whether it is a lost lease, which is no failure."""
    if isinstance(error, BaseExceptionGroup):
        # As a TaskGroup raises it: nothing but lost leases in it.
        return error.split(LeaseLost)[1] is None
    return isinstance(error, LeaseLost)
