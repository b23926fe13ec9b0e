"""Would a chaos run notice a broken library? Bugs that workers can be started with.

`python -m tests.chaos --seed 1 --plant steal` has to fail.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Final

STEAL_SECONDS: Final = 0.2
DIE_SECONDS: Final = 20.0
IDLE_SECONDS: Final = 10.0


def steal() -> None:
    """Leases of live workers count as expired when their counter stood still for a moment."""
    from kcl_py.core.leases.rows import LeaseRow

    def wait_seconds(row: LeaseRow, own_duration: float) -> float:
        del row, own_duration
        return STEAL_SECONDS

    LeaseRow.wait_seconds = wait_seconds  # type: ignore[assignment, method-assign]


def skip() -> None:
    """Whatever user code raises counts as success, so what it failed at is never done."""
    from kcl_py.core.commands import Method
    from kcl_py.shell.run import ProcessorRun

    def judge(run: ProcessorRun, raised: BaseException, method: Method) -> None:
        del run, raised, method

    ProcessorRun._judge = judge  # type: ignore[assignment, method-assign]


def fence_late() -> None:
    """A worker believes in its leases for twice their duration."""
    from kcl_py.core.leases.desk import Desk

    def fence_of(desk: Desk, sent_at: float) -> float:
        return sent_at + 2 * desk.duration

    Desk.fence_of = fence_of  # type: ignore[assignment, method-assign]


def begin_early() -> None:
    """Children do not wait for their parents."""
    from kcl_py.core.leases.rows import LeaseRow
    from kcl_py.core.shards.syncer import ShardSync

    def waits_for_parents(sync: ShardSync, row: LeaseRow) -> bool:
        del sync, row
        return False

    ShardSync.waits_for_parents = waits_for_parents  # type: ignore[assignment, method-assign]


def leave_behind() -> None:
    """A worker that stops forgets to delete its row."""
    from kcl_py.core.leases.membership import Membership

    def delete(membership: Membership, now: float, then: Callable[[float], None]) -> None:
        del membership
        then(now)

    Membership.delete = delete  # type: ignore[assignment, method-assign]


def die() -> None:
    """A worker ends after a while, with exit code 0, as if that were in order."""
    ending = threading.Timer(DIE_SECONDS, os._exit, [0])
    ending.daemon = True
    ending.start()


def stay_idle() -> None:
    """After a while nobody takes anything that others have left."""
    from kcl_py.core.leases.keeper import Keeper

    begun = time.monotonic()
    honest = Keeper.may_take

    def may_take(keeper: Keeper, now: float, key: str) -> bool:
        return time.monotonic() < begun + IDLE_SECONDS and honest(keeper, now, key)

    Keeper.may_take = may_take  # type: ignore[assignment, method-assign]


PLANTS: Final = {
    "steal": steal,
    "skip": skip,
    "fence-late": fence_late,
    "begin-early": begin_early,
    "leave-behind": leave_behind,
    "die": die,
    "stay-idle": stay_idle,
}
