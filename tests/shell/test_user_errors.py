"""What does an exception of user code mean to the core? And what of it may be logged?"""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.errors import LeaseLost, RecordFailed
from kcl_py.records import Record
from kcl_py.shell.user_errors import MESSAGE_LENGTH_MAX, stack_of, user_error

RECORD = Record(sequence_number="9", data=b"secret", partition_key="alice")


def raised(error: BaseException) -> BaseException:
    def throw() -> None:
        raise error

    with contextlib.suppress(BaseException):
        throw()
    return error


@pytest.mark.parametrize(
    ("error", "is_fenced", "kind"),
    [
        (ValueError("x"), False, "error"),
        (ValueError("x"), True, "error"),
        (LeaseLost(), False, "lease_lost"),
        (ExceptionGroup("tasks", [LeaseLost(), LeaseLost()]), False, "lease_lost"),
        (ExceptionGroup("tasks", [LeaseLost(), ValueError()]), False, "error"),
        (asyncio.CancelledError(), True, "lease_lost"),
        (asyncio.CancelledError(), False, "error"),
        (SystemExit(1), False, "exit"),
        (KeyboardInterrupt(), False, "exit"),
        (GeneratorExit(), False, "error"),
        (MemoryError(), False, "error"),
        (RecordFailed(RECORD), False, "error"),
    ],
)
def test_every_exception_has_one_meaning(
    *, error: BaseException, is_fenced: bool, kind: str
) -> None:
    assert user_error(raised(error), is_fenced=is_fenced).kind == kind


def test_a_failed_record_is_named_and_may_be_hopeless() -> None:
    mendable = RecordFailed(RECORD)
    hopeless = RecordFailed(RECORD, retry=False)
    listed = RecordFailed(RECORD)
    listed.__cause__ = KeyError("id")

    judged = [user_error(e, is_fenced=False, give_up_on=(KeyError,)) for e in (mendable, hopeless)]
    assert [(str(error.failed_at), error.may_retry) for error in judged] == [
        ("9/0", True),
        ("9/0", False),
    ]
    assert not user_error(listed, is_fenced=False, give_up_on=(KeyError,)).may_retry


@given(st.text(min_size=1))
def test_no_message_reaches_the_log_and_the_detail_is_bounded(message: str) -> None:
    secret = f"<<{message}>>"
    error = raised(RuntimeError(secret))

    judged = user_error(error, is_fenced=False)

    assert secret not in judged.summary
    assert secret not in "".join(stack_of(error))
    assert "test_user_errors.py" in judged.summary
    assert len(judged.detail) <= MESSAGE_LENGTH_MAX
    assert judged.detail.startswith("RuntimeError: <<")


def test_an_exception_that_cannot_be_printed_is_still_told() -> None:
    class BrokenError(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert user_error(raised(BrokenError()), is_fenced=False).detail.endswith("BrokenError")


def test_a_cause_that_was_never_raised_is_placed_where_the_record_failed() -> None:
    with pytest.raises(RecordFailed) as caught:
        raise RecordFailed(RECORD) from ValueError("bob")

    said = user_error(caught.value, is_fenced=False)

    assert said.summary.startswith("ValueError at test_user_errors.py:")
    assert str(RECORD.position) in said.summary
    assert "bob" not in said.summary
