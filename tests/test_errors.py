"""Do errors carry their facts, through a pickle too, and say what to do?"""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from kcl_py import errors
from kcl_py.errors import (
    AccessDenied,
    BufferFull,
    CheckpointOutOfRange,
    ConfigError,
    KclError,
    LeaseLost,
    LeaseTableError,
    NoCredentials,
    ProducerError,
    PutFailed,
    RecordDecodeError,
    RecordError,
    RecordFailed,
    RecordRefused,
    ServiceError,
    SetupError,
    StopTimeout,
    StreamNotFound,
    Throttled,
    Unavailable,
    Undelivered,
    WorkerFailed,
)
from kcl_py.producer.results import PutFailure
from kcl_py.records import Position, Record

HERE = Position("41", 2)
RECORD = Record(sequence_number="41", sub_sequence_number=2, data=b"secret", partition_key="bob")

LEFT = PutFailure(
    data=b"secret",
    partition_key="bob",
    explicit_hash_key=None,
    error_code="InternalFailure",
    error_message="broken",
    attempts=3,
)

ONE_OF_EACH: list[KclError] = [
    AccessDenied(action="kinesis:GetRecords", resource="arn:aws:kinesis:eu-west-1:1:stream/s"),
    BufferFull("full"),
    CheckpointOutOfRange(asked=HERE, lowest=Position("50"), highest=None),
    ConfigError("wrong"),
    KclError("base"),
    LeaseLost(lease_key="shardId-000000000001"),
    LeaseTableError("foreign"),
    NoCredentials("none"),
    ProducerError("base"),
    PutFailed(failure=LEFT),
    RecordDecodeError("not JSON", position=HERE),
    RecordError("bad", position=HERE),
    RecordFailed(RECORD, retry=False),
    RecordRefused("too large"),
    ServiceError("500"),
    SetupError("not ready"),
    StopTimeout("late"),
    StreamNotFound("gone"),
    Throttled("slow down"),
    Unavailable("cut off"),
    Undelivered(failures=[LEFT, LEFT]),
    WorkerFailed("crashed"),
]


def test_there_is_one_of_each() -> None:
    assert sorted(type(error).__name__ for error in ONE_OF_EACH) == errors.__all__


@pytest.mark.parametrize("error", ONE_OF_EACH, ids=lambda error: type(error).__name__)
def test_every_error_pickles_with_its_facts(error: KclError) -> None:
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.args == error.args
    assert vars(copy) == vars(error)


def test_a_note_survives_the_pickle() -> None:
    error = LeaseLost(lease_key="s")
    error.add_note("while flushing")

    assert pickle.loads(pickle.dumps(error)).__notes__ == ["while flushing"]


@pytest.mark.parametrize("error", ONE_OF_EACH, ids=lambda error: type(error).__name__)
def test_the_tree_in_the_docstring_names_every_error(error: KclError) -> None:
    assert f" {type(error).__name__}" in str(errors.__doc__)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (StreamNotFound("x"), 3),
        (AccessDenied(action="kinesis:ListShards"), 3),
        (NoCredentials("x"), 3),
        (Throttled("x"), 3),
        (Unavailable("x"), 3),
        (LeaseTableError("x"), 4),
        (StopTimeout("x"), 5),
        (KclError("x"), 1),
    ],
)
def test_exit_codes_are_those_of_the_command_line(error: KclError, code: int) -> None:
    assert error.exit_code == code


def test_default_messages_say_what_happened_and_what_to_do() -> None:
    assert str(LeaseLost(lease_key="s-1")) == (
        "the lease s-1 is no longer ours; stop processing and write nothing"
    )
    assert str(AccessDenied(action="kinesis:ListShards")) == (
        "kinesis:ListShards is denied; allow it in the IAM policy"
    )
    assert "50/0" in str(CheckpointOutOfRange(asked=HERE, lowest=Position("50")))


def test_a_failed_record_shows_no_data() -> None:
    error = RecordFailed(RECORD)

    assert error.position == HERE
    assert "secret" not in str(error) + repr(error) + repr(error.record)
    assert "bob" not in str(error) + repr(error) + repr(error.record)


def test_value_errors_are_value_errors() -> None:
    assert issubclass(ConfigError, ValueError)
    assert issubclass(CheckpointOutOfRange, ValueError)
    assert issubclass(RecordDecodeError, ValueError)
    assert issubclass(RecordRefused, ValueError)


def test_what_was_not_delivered_shows_no_data() -> None:
    for error in (PutFailed(failure=LEFT), Undelivered(failures=[LEFT])):
        assert "secret" not in str(error) + repr(error) + repr(LEFT)
        assert "bob" not in str(error) + repr(error) + repr(LEFT)

    assert str(PutFailed(failure=LEFT)) == (
        "a record was not delivered in 3 attempts: InternalFailure: broken"
    )
    of_a_request = replace(LEFT, error_message="InternalFailure: all of it is broken")
    assert str(PutFailed(failure=of_a_request)) == (
        "a record was not delivered in 3 attempts: InternalFailure: all of it is broken"
    )
    assert str(Undelivered(failures=[LEFT, LEFT])) == (
        "2 records were not delivered (InternalFailure); they are in `failures`"
    )
