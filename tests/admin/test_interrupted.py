"""Does a repair that is killed at any write end, done again, where it would have ended at once?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from kcl_py.admin.applying import Applying
from kcl_py.admin.editing import Editor
from kcl_py.admin.resetting import Change, Place, plan_reset
from kcl_py.admin.saving import Saved, plan_import
from kcl_py.aws.lease_table import RowsFound
from kcl_py.core.events import Failure, FailureKind, WriteAnswer
from kcl_py.core.leases.rows import Checkpoint, LeaseRow, Sentinel
from kcl_py.core.leases.writes import RowWrite
from kcl_py.core.shards.graph import Shard
from kcl_py.records import Position
from tests.core.fake_table import FakeTable

Plan = Callable[[Mapping[str, LeaseRow]], Sequence[Change]]

PARENTS = {"a": (), "b": (), "a1": ("a",), "a2": ("a",), "ab": ("a2", "b"), "ab1": ("ab",)}
SHARDS = [
    Shard(shard_id=key, parents=parents, hash_range=(0, 9), is_open=True)
    for key, parents in PARENTS.items()
]

places: st.SearchStrategy[Checkpoint] = st.sampled_from(
    [Sentinel.TRIM_HORIZON, Sentinel.SHARD_END, Position("5"), Position("7"), Position("9")]
)
keys = st.sampled_from(sorted(PARENTS))
rows = st.dictionaries(keys, places).map(
    lambda found: {
        key: LeaseRow(key=key, counter=3, checkpoint=place, parents=PARENTS[key])
        for key, place in found.items()
    }
)
saved = st.dictionaries(keys, places).map(
    lambda found: {key: Saved(key, place, None) for key, place in found.items()}
)


class KilledError(BaseException):
    """The command ends, before or after a write that it has just sent."""


class Killing:
    """A table that a command is killed at, and that loses some answers."""

    def __init__(self, table: FakeTable, left: int, *, is_applied: bool, lost: set[int]) -> None:
        self.table, self.left, self.is_applied, self.lost = table, left, is_applied, lost

    def write(self, write: RowWrite) -> WriteAnswer:
        self.left -= 1
        if self.left < 0 and not self.is_applied:
            raise KilledError
        answer = self.table.apply(write)
        if self.left < 0:
            raise KilledError
        is_lost = self.left in self.lost
        return Failure(FailureKind.UNKNOWN, "dynamodb:UpdateItem", "lost") if is_lost else answer

    def read_rows(self, keys: Sequence[str]) -> RowsFound:
        found = tuple(self.table.rows[key] for key in keys if key in self.table.rows)
        return RowsFound(found, tuple(key for key in keys if key not in self.table.rows))


def carry_out(port: Killing, plan: Plan) -> None:
    nonces = (f"{id(port)}#{number}" for number in range(1000))
    editor = Editor(port, new_nonce=lambda: next(nonces), sleep=lambda _: None)
    found = port.table.leases
    for _ in Applying(editor=editor, floor=100, duration=10.0).apply(plan(found), found):
        pass


def what_matters(table: FakeTable) -> dict[str, object]:
    """What of the leases decides where they begin, and after whom."""
    return {
        key: (row.checkpoint, row.start_at, row.owner, row.parents, row.root)
        for key, row in table.leases.items()
    }


def ends_alike(
    before: Mapping[str, LeaseRow], plan: Plan, kills: list[tuple[int, bool]], lost: set[int]
) -> None:
    at_once, again = FakeTable(*before.values()), FakeTable(*before.values())
    carry_out(Killing(at_once, 1000, is_applied=False, lost=set()), plan)
    for left, is_applied in [*kills, (1000, False)]:
        try:
            carry_out(Killing(again, left, is_applied=is_applied, lost=lost), plan)
        except KilledError:
            continue
    assert what_matters(again) == what_matters(at_once)


kill_points = st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=4)
losses = st.sets(st.integers(0, 8), max_size=3)


@given(rows, saved, kill_points, losses)
def test_an_import_that_was_killed_is_completed_by_the_next(
    before: dict[str, LeaseRow],
    file: dict[str, Saved],
    kills: list[tuple[int, bool]],
    lost: set[int],
) -> None:
    ends_alike(before, lambda now: plan_import(file, now, SHARDS).changes, kills, lost)


@given(rows, st.sets(keys), kill_points, losses)
def test_a_reset_that_was_killed_is_completed_by_the_next(
    before: dict[str, LeaseRow],
    needed: set[str],
    kills: list[tuple[int, bool]],
    lost: set[int],
) -> None:
    place = Place(Sentinel.AT_TIMESTAMP, 1_790_000_000.0)
    ends_alike(before, lambda now: plan_reset(place, now, SHARDS, needed).changes, kills, lost)
