"""How a policy is tested: `pytest docs/examples` runs this."""

from __future__ import annotations

import pytest
from kcl_py import DeadLetter, OnError
from kcl_py.testing import CrashAt, make_record, run_processor

from failing_orders import HURRIED, POLICY, Orders, to_our_own_place

ORDERS = [{"id": n, "price": 10 * n} for n in range(20)]
BAD = make_record(b"not json", key="bob")


def test_only_the_bad_order_is_given_up() -> None:
    kept: list[DeadLetter] = []
    policy = OnError(attempts=2, then="dead_letter", dead_letters=kept.extend)

    run = run_processor(Orders, [*ORDERS[:7], BAD, *ORDERS[7:]], on_error=policy)

    assert run.shard_ended
    assert [letter.record.data for letter in run.dead_letters] == [b"not json"]
    assert kept[0].error_type == "RecordDecodeError"


def test_nothing_passes_while_the_sink_fails() -> None:
    def full(letters: object) -> None:
        raise OSError("the disk is full")

    policy = OnError(attempts=2, then="dead_letter", dead_letters=full)

    run = run_processor(Orders, [*ORDERS[:7], BAD, *ORDERS[7:]], on_error=policy)

    assert not run.shard_ended
    assert run.finished == run.records[6].position


def test_a_letter_may_come_twice() -> None:
    kept: list[DeadLetter] = []
    policy = OnError(attempts=2, then="dead_letter", dead_letters=kept.extend)
    crash = CrashAt(moment="write_letter returned")

    run = run_processor(Orders, [BAD], on_error=policy, incidents=[crash])

    assert run.shard_ended
    assert [letter.record.data for letter in kept] == [b"not json"] * 2


def test_the_policies_of_the_page_hold() -> None:
    skipping = run_processor(Orders, [BAD, {"id": 1, "price": -1}, *ORDERS], on_error=HURRIED)

    assert skipping.shard_ended
    assert skipping.dead_letters == ()
    assert POLICY.then == "dead_letter"


def test_a_function_may_be_the_sink(capsys: pytest.CaptureFixture[str]) -> None:
    policy = OnError(attempts=1, then="dead_letter", dead_letters=to_our_own_place)

    run = run_processor(Orders, [BAD], on_error=policy)

    assert run.shard_ended
    assert b"not json".hex() in capsys.readouterr().out
