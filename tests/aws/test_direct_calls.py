"""Whatever a server does, both ways of calling it end in the same."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import boto3.session
import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError

from kcl_py.aws import clients as clients_module
from kcl_py.aws.clients import Clients, make_clients
from kcl_py.aws.direct.calls import DirectCall
from kcl_py.aws.lease_table import LeaseTable
from kcl_py.aws.names import parse_stream
from kcl_py.aws.stream import StreamReader
from kcl_py.config import LeaseConfig, WorkerConfig
from kcl_py.core.commands import Fetch, Start, StartKind
from kcl_py.core.events import Applied, Failure, FailureKind, FetchFailed, PageFetched, Refused
from kcl_py.core.leases import writes
from tests.aws.loopback import (
    Loopback,
    Play,
    answer,
    by_operation,
    head,
    is_silent,
    make_certificate,
    refuses,
    resets,
    says,
    says_and_closes,
)
from tests.aws.wire import session

PAGE = {
    "Records": [{"SequenceNumber": "5", "Data": "eA==", "PartitionKey": "k"}],
    "NextShardIterator": "it-2",
    "MillisBehindLatest": 0,
}
ROW = {
    "leaseKey": {"S": "s"},
    "leaseCounter": {"N": "8"},
    "leaseOwner": {"S": "a"},
    "checkpoint": {"S": "TRIM_HORIZON"},
    "kclRoot": {"BOOL": True},
    "parentShardId": {"SS": ["p", "q"]},
    "pendingCheckpoint": {"S": "7"},
    "pendingCheckpointState": {"B": base64.b64encode(bytes(range(256))).decode()},
    "somebody's": {"L": [{"M": {"deep": {"B": "eA=="}}}, {"NULL": True}]},
}
ITEM = {"Attributes": ROW, "ConsumedCapacity": {"TableName": "leases", "CapacityUnits": 1.5}}
WELL = by_operation({"GetRecords": PAGE, "UpdateItem": ITEM, "GetItem": {"Item": ROW}})
RENEWAL = writes.renew("s", me="a", base=7, nonce="n", duration=10.0)
FETCH = Fetch(
    fetch_id=1,
    key="s",
    shard_id="s",
    iterator="it-1",
    start=Start(kind=StartKind.TRIM_HORIZON),
    records_max=100,
)


@dataclass
class Side:
    """A worker's calls over one transport."""

    made: Clients
    stream: StreamReader
    table: LeaseTable

    def fetch(self) -> PageFetched | FetchFailed:
        return self.stream.fetch(FETCH)

    def write(self) -> Any:
        return self.table.write(RENEWAL)


@contextmanager
def side_of(
    url: str,
    transport: Literal["direct", "botocore"],
    mine: boto3.session.Session | None = None,
    *,
    duration: float = 30.0,
) -> Iterator[Side]:
    made = make_clients(
        WorkerConfig(
            kinesis_endpoint_url=url,
            dynamodb_endpoint_url=url,
            transport=transport,
            leases=LeaseConfig(duration=duration),
        ),
        parse_stream("orders"),
        session=mine or session(),
    )
    address = parse_stream("orders")
    yield Side(
        made,
        StreamReader(client=made.stream_reads, stream=address, get_records=made.get_records),
        LeaseTable(
            writes=made.lease_writes,
            reads=made.table_reads,
            name="leases",
            update_item=made.update_item,
        ),
    )
    made.close()


def directs(side: Side) -> tuple[DirectCall, DirectCall]:
    calls = side.made.get_records, side.made.update_item
    assert isinstance(calls[0], DirectCall)
    assert isinstance(calls[1], DirectCall)
    return calls[0], calls[1]


def learn(side: Side) -> None:
    """Make both calls go direct, and see that they never go back."""

    def never(**_parameters: object) -> None:
        raise AssertionError("asked botocore")

    assert isinstance(side.fetch(), PageFetched)
    assert isinstance(side.write(), Applied)
    for call in directs(side):
        assert call.why_not is None
        call._by_client = never


@contextmanager
def both(play: Play = WELL, duration: float = 30.0) -> Iterator[tuple[Loopback, Side, Side]]:
    """A server that first answers well, and then plays; botocore's way, and the direct one."""
    with (
        Loopback(WELL) as server,
        side_of(server.url, "botocore", duration=duration) as stock,
        side_of(server.url, "direct", duration=duration) as direct,
    ):
        learn(direct)
        server.play = play
        server.asked.clear()
        yield server, stock, direct


# ---------------------------------------------------------------------------------------- the same


def page_of(side: Side) -> PageFetched:
    answer = side.fetch()
    assert isinstance(answer, PageFetched)
    return answer


def test_both_ways_bring_the_same_page_and_row() -> None:
    with both() as (server, stock, direct):
        one, other = page_of(stock), page_of(direct)
        assert one.page is not None
        assert other.page is not None
        assert list(one.page.records) == list(other.page.records)
        assert replace(one, page=None) == replace(other, page=None)
        assert stock.write() == direct.write()
        assert isinstance(direct.write(), Applied)
        assert direct.table.write_units == 4.5

        changing = {"x-amz-date", "authorization", "amz-sdk-invocation-id", "content-length"}
        for first, second in (server.asked[:2], server.asked[2:4]):
            assert json.loads(first.body) == json.loads(second.body)
            assert first.headers.keys() == second.headers.keys()
            for name in first.headers.keys() - changing:
                assert first.headers[name] == second.headers[name]


def test_both_ways_write_a_state_of_any_bytes_alike() -> None:
    from kcl_py.core.leases.rows import Pending
    from kcl_py.records import Position

    pending = Pending(position=Position("5", 2), state=bytes(range(256)))
    write = writes.renew("s", me="a", base=7, nonce="ü", duration=10.0, pending=pending)
    with both() as (server, stock, direct):
        stock.table.write(write)
        direct.table.write(write)

        first, second = (json.loads(asked.body) for asked in server.asked)
        assert first == second


UNKNOWN = FailureKind.UNKNOWN
FAILED_CONDITION = "ConditionalCheckFailedException"
PLAYS: dict[str, tuple[Play, FailureKind]] = {
    "closes before answering": (says_and_closes(b""), UNKNOWN),
    "closes in the head": (says_and_closes(b"HTTP/1.1 200 OK\r\nDate: "), UNKNOWN),
    "closes in the body": (says_and_closes(head(100) + b'{"Attributes":'), UNKNOWN),
    "closes in a body that is whole": (says_and_closes(head(100) + b"{}"), UNKNOWN),
    "closes in a refusal": (
        says_and_closes(answer({"__type": FAILED_CONDITION}, "400 Bad Request")[:-3]),
        UNKNOWN,
    ),
    "resets": (resets, UNKNOWN),
    "is silent": (is_silent, UNKNOWN),
    "is no HTTP": (says_and_closes(b"SSH-2.0-server\r\n\r\n"), UNKNOWN),
    "has a huge header": (says_and_closes(head(2, X=70_000 * "x") + b"{}"), UNKNOWN),
    "answers nothing": (says(answer(b"")), UNKNOWN),
    "answers no JSON": (says(answer(b"<html>")), UNKNOWN),
    "answers half": (says(answer(b'{"Records": [], "Attributes": {')), UNKNOWN),
    "answers a list": (says(answer([])), UNKNOWN),
    "answers without what is needed": (says(answer({})), UNKNOWN),
    "answers nulls": (says(answer({"Records": None, "Attributes": None})), UNKNOWN),
    "answers what is no row and no page": (
        says(answer({"Records": {}, "Attributes": {"leaseKey": "s"}})),
        UNKNOWN,
    ),
    "answers 204": (says_and_closes(b"HTTP/1.1 204 No Content\r\n\r\n"), UNKNOWN),
    "answers 206": (says(answer(b"{", "206 Partial Content")), UNKNOWN),
    "answers 302": (says(answer(b"", "302 Found", Location="http://x")), UNKNOWN),
    "answers 403 in HTML": (says(answer(b"<html>", "403 Forbidden")), FailureKind.DENIED),
    "answers 408": (says(answer(b"", "408 Request Timeout")), UNKNOWN),
    "answers 413": (says(answer(b"", "413 Too Large")), UNKNOWN),
    "answers 429": (says(answer(b"", "429 Slowly")), FailureKind.THROTTLED),
    "answers 500 in HTML": (says(answer(b"<html>", "500 Oh")), UNKNOWN),
    "answers 503 and nothing": (says(answer(b"", "503 Busy")), UNKNOWN),
    "answers 400 with a list": (says(answer([], "400 Bad Request")), UNKNOWN),
    "throttles": (refuses("ThrottlingException"), FailureKind.THROTTLED),
    "throttles a shard": (
        refuses("ProvisionedThroughputExceededException"),
        FailureKind.THROTTLED,
    ),
    "fails within": (refuses("InternalServerError", "500 Oh"), UNKNOWN),
    "denies": (refuses("AccessDeniedException"), FailureKind.DENIED),
    "finds the token old": (refuses("ExpiredTokenException"), FailureKind.DENIED),
    "finds the signature bad": (refuses("InvalidSignatureException"), FailureKind.DENIED),
    "finds the clock wrong": (refuses("RequestTimeTooSkewed", "403 No"), FailureKind.DENIED),
    "finds the iterator old": (refuses("ExpiredIteratorException"), FailureKind.EXPIRED),
    "finds nothing": (refuses("ResourceNotFoundException"), FailureKind.GONE),
    "finds it invalid": (refuses("ValidationException:http://x/"), FailureKind.INVALID),
    "refuses in new words": (refuses("NeverSeenException"), FailureKind.INVALID),
}


@pytest.mark.parametrize("name", PLAYS)
def test_both_ways_fail_alike_and_send_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    play, kind = PLAYS[name]
    is_quick = play is is_silent  # nobody else is waited for, however busy the machine
    if is_quick:
        monkeypatch.setattr(clients_module, "STREAM_READ_SECONDS", 1.0)
    with both(play, 6.0 if is_quick else 30.0) as (server, stock, direct):
        for side in (stock, direct):
            page, row = side.fetch(), side.write()

            assert isinstance(page, FetchFailed)
            assert isinstance(row, Failure)
            assert (page.failure.kind, row.kind) == (kind, kind)
        assert len(server.asked) == 4


def test_a_wrong_checksum_makes_a_write_unknown() -> None:
    with both(says(answer(ITEM, x_amz_crc32="1"))) as (_, stock, direct):
        for side in (stock, direct):
            got = side.write()
            assert isinstance(got, Failure)
            assert (got.kind, "checksum" in got.message) == (UNKNOWN, True)


def test_a_refused_write_shows_its_row_both_ways() -> None:
    units = {"TableName": "leases", "CapacityUnits": 1.0}
    play = refuses(FAILED_CONDITION, Item=ROW, ConsumedCapacity=units)
    with both(play) as (_, stock, direct):
        assert stock.write() == direct.write()
        assert isinstance(direct.write(), Refused)


def test_a_refused_port_is_unknown_both_ways() -> None:
    with both() as (server, stock, direct):
        server.stop_listening()
        server.drop_connections()

        for side in (stock, direct):
            page, row = side.fetch(), side.write()
            assert isinstance(page, FetchFailed)
            assert isinstance(row, Failure)
            assert (page.failure.kind, row.kind) == (UNKNOWN, UNKNOWN)


@pytest.mark.parametrize(
    "play",
    [
        refuses("ThrottlingException"),
        refuses("NeverSeenException"),
        refuses(FAILED_CONDITION, Item={"leaseKey": {"S": "s"}}),
        refuses("ResourceNotFoundException", Message="twice"),
        says(answer(b"<html>", "500 Oh")),
        says(answer(b"no JSON", "400 Bad Request")),
        says(answer({"__type": "a#Odd:b", "Message": "capital"}, "400 No", X_Amzn_Extra="1")),
        says(answer(b"", "300 Many")),
    ],
)
def test_an_error_is_what_botocore_makes_of_it(play: Play) -> None:
    def raised(call: Callable[[], object]) -> ClientError:
        with pytest.raises(ClientError) as caught:
            call()
        return caught.value

    with both(play) as (_, stock, direct):
        one = raised(lambda: stock.made.get_records(ShardIterator="it", Limit=1))
        other = raised(lambda: direct.made.get_records(ShardIterator="it", Limit=1))
        assert one.response == other.response
        assert (type(one).__name__, str(one)) == (type(other).__name__, str(other))
        key: Any = {"TableName": "t", "Key": {"leaseKey": {"S": "s"}}}
        one = raised(lambda: stock.made.update_item(**key))
        other = raised(lambda: direct.made.update_item(**key))
        assert one.response == other.response
        assert (type(one).__name__, str(one)) == (type(other).__name__, str(other))


# ------------------------------------------------------------------------------ other transports


def test_pages_come_over_tls_that_botocore_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, context = make_certificate(tmp_path, "DNS:localhost")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    mine = boto3.session.Session("AKID", "secret", "token", region_name="eu-west-1")
    with Loopback(WELL, tls=context) as server, side_of(server.url, "direct", mine) as direct:
        learn(direct)

        assert isinstance(direct.fetch(), PageFetched)
        assert isinstance(direct.write(), Applied)
        assert server.asked[-1].headers["x-amz-security-token"] == "token"


def test_a_name_that_the_certificate_lacks_ends_both_ways_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, context = make_certificate(tmp_path, "DNS:elsewhere")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    mine = boto3.session.Session("AKID", "secret", region_name="eu-west-1")
    with Loopback(WELL, tls=context) as server:
        for transport in ("botocore", "direct"):
            with side_of(server.url, transport, mine) as side:
                page = side.fetch()
                assert isinstance(page, FetchFailed)
                assert (page.failure.kind, page.failure.message.split()[0]) == (UNKNOWN, "SSLError")
        assert server.asked == []


def test_a_lost_source_of_credentials_is_denied() -> None:
    class Lost:
        account_id = None

        def get_frozen_credentials(self) -> Any:
            raise CredentialRetrievalError(provider="role", error_msg="gone")

    with both() as (server, _, direct):
        for call in directs(direct):
            call._credentials = Lost()
        page, row = direct.fetch(), direct.write()

        assert isinstance(page, FetchFailed)
        assert isinstance(row, Failure)
        assert (page.failure.kind, row.kind) == (FailureKind.DENIED, FailureKind.DENIED)
        assert server.asked == []
