"""Does each mark of an administrator count once, however often and late its request arrives?"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from kcl_py.core.events import Applied
from kcl_py.core.leases import repairs, writes
from kcl_py.core.leases.rows import LeaseRow, Sentinel
from kcl_py.core.leases.writes import RowWrite
from kcl_py.testing.sim.row_store import RowStore

KEY = "shardId-000000000000"
DEEDS = st.sampled_from(("halt", "resume", "renew", "again"))


@dataclass
class Table:
    """One lease, its owner, and requests that the network keeps."""

    sent: list[RowWrite] = field(default_factory=list)
    store: RowStore = field(
        default_factory=lambda: RowStore(
            lambda: 0.0, random.Random(0), stale=lambda: 0.0, index_lag=lambda: 0.0
        )
    )

    def __post_init__(self) -> None:
        row = LeaseRow(key=KEY, counter=1, checkpoint=Sentinel.TRIM_HORIZON, owner="w", nonce="n")
        self.store.write(writes.create(row))

    @property
    def row(self) -> LeaseRow:
        row = self.store.look(KEY)
        assert isinstance(row, LeaseRow)
        return row

    def mark(self, write: RowWrite) -> None:
        self.sent.append(write)
        assert isinstance(self.store.write(write), Applied)

    def renew(self) -> None:
        """What the owner writes does not hang on any mark."""
        base = self.row.counter
        renewal = writes.renew(KEY, me="w", base=base, nonce=f"n{base}", duration=10.0)
        assert isinstance(self.store.write(renewal), Applied)


@given(st.lists(st.tuples(DEEDS, st.integers(0, 50)), max_size=40))
def test_a_mark_that_arrives_again_changes_nothing(deeds: list[tuple[str, int]]) -> None:
    table = Table()
    for deed, which in deeds:
        before = table.row
        if deed == "renew":
            table.renew()
            assert table.row.halted == before.halted
        elif deed == "again":
            if table.sent:
                table.store.write(table.sent[which % len(table.sent)])
            assert table.row == before
        else:
            table.mark(repairs.halt(before) if deed == "halt" else repairs.resume(before))
            assert table.row.halted is (deed == "halt")
            assert (table.row.counter, table.row.nonce) == (before.counter, before.nonce)


@given(st.booleans(), st.booleans())
def test_of_two_who_mark_what_they_read_at_the_same_time_one_is_refused(
    one: bool,  # noqa: FBT001 - drawn
    other: bool,  # noqa: FBT001 - drawn
) -> None:
    table = Table()
    row = table.row
    first, second = (repairs.halt(row) if halts else repairs.resume(row) for halts in (one, other))

    table.mark(first)
    after = table.row

    assert not isinstance(table.store.write(second), Applied)
    assert table.row == after
