"""Does every answer to a write mean what the protocol says?"""

from __future__ import annotations

from dataclasses import replace

from kcl_py.core.events import Applied, Failure, FailureKind, Refused
from kcl_py.core.leases import writes
from kcl_py.core.leases.ledger import Ledger, Lost, Open, Won
from kcl_py.core.leases.rows import LeaseRow, Sentinel

UNKNOWN = Failure(FailureKind.UNKNOWN, "dynamodb:UpdateItem", "timed out")


def row(counter: int, nonce: str | None = None, owner: str = "me") -> LeaseRow:
    return LeaseRow(
        key="s", counter=counter, checkpoint=Sentinel.TRIM_HORIZON, owner=owner, nonce=nonce
    )


def renew(base: int, nonce: str) -> writes.RowWrite:
    return writes.renew("s", me="me", base=base, nonce=nonce, duration=10.0)


def test_success_moves_the_base() -> None:
    ledger = Ledger(5)
    attempt = ledger.send(renew(5, "n1"), 1.0)

    outcome = ledger.settle(attempt, Applied(row(6, "n1")))

    assert outcome == Won(attempt, row(6, "n1"))
    assert ledger.base == 6


def test_a_timed_out_write_that_applied_is_recognised_by_its_nonce() -> None:
    ledger = Ledger(5)
    first = ledger.send(renew(5, "n1"), 1.0)
    assert isinstance(ledger.settle(first, UNKNOWN), Open)
    second = ledger.send(renew(5, "n2"), 2.0)

    outcome = ledger.settle(second, Refused(row(6, "n1")))

    assert isinstance(outcome, Won)
    assert outcome.attempt.sent_at == 1.0, "the fence counts from the attempt that applied"
    assert ledger.base == 6


def test_a_counter_that_is_one_ahead_without_my_nonce_is_a_loss() -> None:
    ledger = Ledger(5)
    attempt = ledger.send(renew(5, "n1"), 1.0)

    assert ledger.settle(attempt, Refused(row(6, "somebody"))) == Lost(row(6, "somebody"))
    assert ledger.settle(ledger.send(renew(5, "n2"), 2.0), Refused(None)) == Lost(None)


def test_a_request_on_top_does_not_hide_my_nonce() -> None:
    ledger = Ledger(5)
    ledger.settle(ledger.send(renew(5, "n1"), 1.0), UNKNOWN)
    second = ledger.send(renew(5, "n2"), 2.0)
    asked_for = replace(row(6, "n1"), owner="taker", checkpoint_owner="me")

    assert isinstance(ledger.settle(second, Refused(asked_for)), Won)


def test_attempts_on_a_passed_counter_are_forgotten() -> None:
    ledger = Ledger(5)
    ledger.settle(ledger.send(renew(5, "n1"), 1.0), UNKNOWN)
    ledger.settle(ledger.send(renew(5, "n2"), 2.0), Applied(row(6, "n2")))
    third = ledger.send(renew(6, "n3"), 3.0)

    assert isinstance(ledger.settle(third, Refused(row(6, "n1"))), Lost)
