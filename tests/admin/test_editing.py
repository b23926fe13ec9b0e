"""Is it known whether a change was made, whatever becomes of the answers?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.admin.editing import Editor, unmoved
from kcl_py.admin.troubles import Unsafe
from kcl_py.aws.lease_table import RowsFound
from kcl_py.core.events import Applied, Failure, FailureKind, Refused, WriteAnswer
from kcl_py.core.leases import repairs
from kcl_py.core.leases.rows import PLACEHOLDER_OWNER, LeaseRow, Sentinel
from kcl_py.core.leases.writes import RowWrite
from kcl_py.errors import AccessDenied, KclError

LOST = Failure(FailureKind.UNKNOWN, "dynamodb:UpdateItem", "timed out")
ROW = LeaseRow(key="s0", counter=5, checkpoint=Sentinel.TRIM_HORIZON, owner="w")

FATES = st.sampled_from(["fine", "lost", "applied", "busy"])


class Table:
    """One row, and a way to it on which things happen."""

    def __init__(self, fates: list[str]) -> None:
        self.row = ROW
        self.fates = fates
        self.applied = 0

    def write(self, write: RowWrite) -> WriteAnswer:
        fate = self.fates.pop(0) if self.fates else "fine"
        if fate == "busy":  # its owner moves it first
            self.row = replace(self.row, counter=self.row.counter + 1, nonce="w#1", owner="w")
        if fate == "lost":
            return LOST
        if any(getattr(test, "value", None) != self.row.counter for test in write.tests):
            return Refused(self.row)
        sets: dict[str, Any] = dict(write.sets)
        self.row = replace(self.row, **sets)
        self.applied += 1
        return LOST if fate == "applied" else Applied(self.row)

    def read_rows(self, keys: Sequence[str]) -> RowsFound:
        return RowsFound((self.row,), ())


def editor(table: Any) -> Editor:
    count = iter(range(1000))
    return Editor(table, new_nonce=lambda: f"n{next(count)}", sleep=lambda _: None)


def seize(row: LeaseRow | None, nonce: str) -> RowWrite:
    assert row is not None
    return repairs.seize(row, nonce=nonce)


@given(st.lists(FATES, max_size=6))
def test_a_change_is_made_once_and_known_to_be(fates: list[str]) -> None:
    table = Table(fates)
    before = table.row.counter

    edited = editor(table).edit(ROW, seize)

    assert edited.is_new
    assert table.applied == 1
    assert edited.row == table.row
    assert table.row.owner == PLACEHOLDER_OWNER
    assert table.row.counter > before


def test_what_is_so_already_is_not_written() -> None:
    table = Table([])

    assert not editor(table).edit(ROW, lambda _row, _nonce: None).is_new
    assert table.applied == 0


def test_no_answer_ends_in_an_error() -> None:
    with pytest.raises(KclError, match="no usable answer"):
        editor(Table(["lost"] * 100)).edit(ROW, seize)


def test_a_row_that_never_stands_still_ends_in_an_error() -> None:
    with pytest.raises(KclError, match="changed by others"):
        editor(Table(["busy"] * 100)).edit(ROW, seize)


def test_a_denied_write_is_not_tried_again() -> None:
    class Denying(Table):
        def write(self, write: RowWrite) -> WriteAnswer:
            self.applied += 1
            return Failure(FailureKind.DENIED, "dynamodb:UpdateItem", "no")

    table = Denying([])
    with pytest.raises(AccessDenied):
        editor(table).edit(ROW, seize)
    assert table.applied == 1


def test_a_row_that_moves_is_no_longer_what_was_seen() -> None:
    assert unmoved(ROW, ROW) is ROW
    with pytest.raises(Unsafe, match="w is alive"):
        unmoved(replace(ROW, counter=6), ROW)
