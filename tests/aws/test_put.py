"""Does every answer to PutRecords become what it means, by botocore and without it?"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3.session
import botocore.exceptions as boto
import pytest
from botocore.config import Config

from kcl_py.aws.direct.calls import DirectCall
from kcl_py.aws.failures import UnparsableAnswerError
from kcl_py.aws.names import parse_stream
from kcl_py.aws.put import PutPort, open_port, refused
from kcl_py.aws.retry import Patience
from kcl_py.core.events import FailureKind
from kcl_py.core.puts import PutRefused
from kcl_py.errors import ConfigError
from kcl_py.local import Engine
from tests.aws.wire import Canned, answer_with, error

ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/people"


@dataclass
class Entry:
    data: bytes
    key: str
    hash_key: str | None = None


def session() -> boto3.session.Session:
    return boto3.session.Session(
        aws_access_key_id="id", aws_secret_access_key="secret", region_name="eu-west-1"
    )


class Asked:
    """A port whose requests are answered here."""

    def __init__(self, *answers: Any, stream: str = "people") -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.answers = list(answers)
        self.port = open_port(
            parse_stream(stream), region=None, endpoint_url=None, session=session(), connections=1
        )
        for client in self.port._clients:
            answer_with(client, self._answer)

    def _answer(self, operation: str, request: dict[str, Any]) -> Any:
        self.requests.append((operation, request))
        return self.answers.pop(0)


def put(answer: Any, *entries: Entry) -> Any:
    return Asked(answer).port.put(entries or [Entry(b"x", "k")])


def test_a_request_names_the_stream_and_holds_the_records() -> None:
    entries = [Entry(b"\x00a", "k"), Entry(b"", "é", "7")]
    records = [
        {"Data": base64.b64encode(b"\x00a").decode(), "PartitionKey": "k"},
        {"Data": "", "PartitionKey": "é", "ExplicitHashKey": "7"},
    ]
    for stream, named in (("people", {"StreamName": "people"}), (ARN, {"StreamARN": ARN})):
        asked = Asked(Canned({"Records": []}), stream=stream)
        asked.port.put(entries)

        assert asked.requests == [("PutRecords", {"Records": records, **named})]


def test_entries_are_read() -> None:
    said = put(
        Canned(
            {
                "FailedRecordCount": 1,
                "Records": [
                    {"SequenceNumber": "49", "ShardId": "shard"},
                    {"ErrorCode": "InternalFailure", "ErrorMessage": "broken"},
                ],
            }
        )
    )

    assert (said[0].shard_id, said[0].sequence_number, said[0].error_code) == ("shard", "49", None)
    assert (said[1].sequence_number, said[1].error_code) == (None, "InternalFailure")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"Records": 7}', b'{"Records": [{"Sh'])
def test_what_is_no_answer_counts_as_none(body: bytes) -> None:
    said = put(Canned(body))

    assert isinstance(said, PutRefused)
    assert (said.kind, said.passing) == (FailureKind.UNKNOWN, True)


@pytest.mark.parametrize(
    ("answer", "kind", "passing", "code"),
    [
        (
            error("ProvisionedThroughputExceededException"),
            FailureKind.THROTTLED,
            True,
            "ProvisionedThroughputExceededException",
        ),
        (error("InternalFailure", status=500), FailureKind.UNKNOWN, True, "InternalFailure"),
        (
            error("ResourceNotFoundException"),
            FailureKind.GONE,
            False,
            "ResourceNotFoundException",
        ),
        (error("AccessDeniedException"), FailureKind.DENIED, False, "AccessDeniedException"),
        (error("ExpiredTokenException"), FailureKind.DENIED, True, "ExpiredTokenException"),
        (error("ValidationException"), FailureKind.INVALID, False, "ValidationException"),
        (error("KMSDisabledException"), FailureKind.DENIED, False, "KMSDisabledException"),
        (
            boto.ReadTimeoutError(endpoint_url="https://x"),
            FailureKind.UNKNOWN,
            True,
            "ReadTimeoutError",
        ),
        (boto.NoCredentialsError(), FailureKind.DENIED, True, "NoCredentialsError"),
    ],
)
def test_refusals_have_their_meaning(
    answer: Any, kind: FailureKind, passing: object, code: str
) -> None:
    said = put(answer)

    assert isinstance(said, PutRefused)
    assert (said.kind, said.passing, said.code) == (kind, passing, code)


@pytest.mark.parametrize(
    ("message", "blames"),
    [
        ("1 validation error detected: Value at 'records.3.member.data' is too long", True),
        ("Value 'x' at 'records.1.member.explicitHashKey' must match a pattern: Member must", True),
        ("ExplicitHashKey must be less than 2^128", True),
        ("the records are larger than 5242880 bytes", True),
        ("1 validation error detected: Value 'x' at 'streamName': Member must satisfy", False),
        ("StreamName and StreamARN name two streams", False),
        ("PutRecords is not for this stream", False),
        ("", False),
    ],
)
def test_it_is_known_whether_an_entry_is_to_blame(message: str, blames: object) -> None:
    assert put(error("ValidationException", message=message)).blames_entries is blames
    assert not put(error("InternalFailure", message=message, status=500)).blames_entries


def test_a_bug_is_a_refusal_too() -> None:
    said = refused(ZeroDivisionError())

    assert (said.kind, said.passing, said.code) == (FailureKind.UNKNOWN, True, "ZeroDivisionError")
    assert refused(UnparsableAnswerError("no")).message == "no"


def summary(**more: Any) -> Canned:
    return Canned({"StreamDescriptionSummary": {"StreamName": "people", **more}})


def test_the_stream_tells_how_large_a_record_may_be() -> None:
    asked = Asked(summary(MaxRecordSizeInKiB=10_240), summary())

    assert asked.port.record_limit(Patience()).size_bytes == 10 * 1024 * 1024
    told = asked.port.record_limit(Patience())
    assert (told.size_bytes, told.failure) == (None, None)


def test_a_limit_that_may_not_be_asked_for_is_a_failure() -> None:
    told = Asked(error("AccessDeniedException")).port.record_limit(Patience())

    assert told.size_bytes is None
    assert told.failure is not None
    assert told.failure.kind is FailureKind.DENIED


def test_arguments_of_a_client_go_before_ours_but_one_attempt_stays_one() -> None:
    port = open_port(
        parse_stream("people"),
        region=None,
        endpoint_url=None,
        session=None,
        connections=3,
        client_arguments={
            "region_name": "eu-north-1",
            "aws_access_key_id": "id",
            "aws_secret_access_key": "secret",
            "config": Config(retries={"max_attempts": 9}, user_agent_extra="theirs"),
        },
    )

    client: Any = port._clients[0]
    assert client.meta.region_name == "eu-north-1"
    assert client.meta.config.retries["total_max_attempts"] == 1
    port.close()


@pytest.mark.parametrize("url", ["http://", "no url"])
def test_a_bad_endpoint_is_named(url: str) -> None:
    with pytest.raises(ConfigError, match="is no URL"):
        open_port(
            parse_stream("people"),
            region=None,
            endpoint_url=url,
            session=session(),
            connections=1,
        )


# ------------------------------------------------------------------------- without botocore, later


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(limits=False) as engine:
        yield engine


def test_calls_go_directly_after_the_first_and_mean_the_same(engine: Engine) -> None:
    client = engine.session().client("kinesis")
    client.create_stream(StreamName="people", ShardCount=1)
    client.get_waiter("stream_exists").wait(StreamName="people", WaiterConfig={"Delay": 1})
    port: PutPort = open_port(
        parse_stream("people"),
        region=None,
        endpoint_url=None,
        session=engine.session(),
        connections=1,
    )
    said: list[Any] = [port.put([Entry(b"x", "k"), Entry(b"y", "k", "7")]) for _ in range(3)]
    direct: Any = port._put_records
    assert isinstance(direct, DirectCall)
    assert direct.why_not is None
    assert [[entry.shard_id for entry in answer] for answer in said] == [
        ["shardId-000000000000"] * 2
    ] * 3

    client.delete_stream(StreamName="people")
    refusal = port.put([Entry(b"x", "k")])
    assert isinstance(refusal, PutRefused)
    assert refusal.code == "ResourceNotFoundException"
    port.close()
