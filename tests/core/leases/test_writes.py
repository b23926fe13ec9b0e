"""Do the writes say exactly what the table of the protocol says?"""

from __future__ import annotations

from kcl_py.core.leases import writes
from kcl_py.core.leases.rows import LeaseRow, Sentinel


def test_a_created_row_keeps_a_start_at_the_beginning_of_time() -> None:
    row = LeaseRow(key="s", counter=7, checkpoint=Sentinel.AT_TIMESTAMP, start_at=0.0)

    assert writes.lease_fields(row)["start_at"] == 0.0


def test_a_request_and_a_withdrawal_touch_neither_counter_nor_nonce() -> None:
    for write in (
        writes.request("s", me="t", victim="v"),
        writes.withdraw("s", me="t", victim="v"),
    ):
        assert not {"counter", "nonce"} & set(write.sets)


def test_every_give_marks_its_own_counter_as_offered_or_ends_the_shard() -> None:
    release = writes.release("s", me="a", successor="b", base=7, nonce="n")
    transfer = writes.transfer("s", me="a", taker="b", base=7, nonce="n")
    end = writes.end("s", me="a", base=7, nonce="n", children=())

    assert release.sets["offer"] == release.sets["counter"] == 8
    assert transfer.sets["offer"] == transfer.sets["counter"] == 8
    assert end.sets["offer"] is None


def test_a_forward_writes_no_position() -> None:
    assert "checkpoint" not in writes.transfer("s", me="a", taker="b", base=7, nonce="n").sets


def test_a_take_counts_a_switch_only_from_another_owner() -> None:
    row = LeaseRow(key="s", counter=7, checkpoint=Sentinel.TRIM_HORIZON, owner="a")

    mine = writes.take(row, me="a", nonce="n", duration=10.0, counter=8)
    others = writes.take(row, me="b", nonce="n", duration=10.0, counter=8)

    assert "owner_switches" not in mine.sets
    assert others.sets["owner_switches"] == 1


def test_a_renewal_moves_the_counter_by_one_and_above_what_it_is_told() -> None:
    counters = [
        writes.renew("s", me="a", base=7, nonce="n", duration=10.0, above=above).sets["counter"]
        for above in (0, 6, 7, 8, 20)
    ]

    assert counters == [8, 8, 8, 9, 21]
