"""Does a reset say what becomes of a lease that it had not looked at before?"""

from __future__ import annotations

import pytest

from kcl_py.admin.resetting import Change
from kcl_py.cli.repairing.checkpoint_reset import _facts
from kcl_py.core.leases.repairs import Anew
from kcl_py.core.leases.rows import Checkpoint, LeaseRow, Sentinel
from kcl_py.records import Position

LATEST = Anew(checkpoint=Sentinel.LATEST, start_at=1_764_000_000.0)
OLDEST = Anew(checkpoint=Sentinel.TRIM_HORIZON)


@pytest.mark.parametrize(
    ("before", "anew", "effect"),
    [
        (None, LATEST, "begins"),
        (Position("7"), LATEST, "skips or repeats: not known"),
        (Position("7"), OLDEST, "repeats"),
        (Position("7"), Anew(checkpoint=Position("9")), "skips"),
        (Sentinel.SHARD_END, LATEST, "read again"),
    ],
)
def test_a_lease_that_came_meanwhile_is_not_said_to_repeat_whatever_becomes_of_it(
    before: Checkpoint | None, anew: Anew, effect: str
) -> None:
    row = None if before is None else LeaseRow(key="s", counter=1, checkpoint=before)

    assert _facts(Change("s", row, anew), None)["effect"] == effect
