"""Does `kcl tail` show records, those that were asked for, in the form that was asked for?"""

from __future__ import annotations

import base64
import gzip
import io
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from kcl_py.aggregation import Aggregate
from kcl_py.cli.streams.lineage import as_mermaid, as_svg, as_text
from kcl_py.local.process import EngineProcess
from kcl_py.streams import ShardDescription
from tests.cli.typed import Kcl
from tests.local.worlds import FIRST

NUMBERS = itertools.count()
PEOPLE = [{"name": "ann", "age": 3}, {"name": "bob", "age": 4}, {"name": "ann", "age": 5}]


@pytest.fixture
def stream(at_engine: EngineProcess, clients: Mapping[str, Any]) -> Iterator[str]:
    name = f"tail-{next(NUMBERS)}"
    kinesis = clients["kinesis"]
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    yield name
    kinesis.delete_stream(StreamName=name)


Put = Callable[..., list[str]]


@pytest.fixture
def put(stream: str, clients: Mapping[str, Any]) -> Put:
    """Put data; returns sequence numbers."""

    def put(*data: bytes) -> list[str]:
        return [
            clients["kinesis"].put_record(StreamName=stream, Data=each, PartitionKey="key")[
                "SequenceNumber"
            ]
            for each in data
        ]

    return put


def rows(kcl: Kcl, *arguments: str) -> list[dict[str, Any]]:
    typed = kcl("tail", *arguments, "-o", "jsonl")
    assert typed.code == 0, typed
    return [json.loads(line) for line in typed.out.splitlines()]


def test_records_as_lines(stream: str, put: Put, kcl: Kcl) -> None:
    [number] = put(b'{"a": "\xc3\xa4"}')

    [line] = kcl("tail", "--stream", stream).out.splitlines()

    assert line.split()[1:4] == [FIRST, f"{number}/0", "key"]
    assert line.endswith('{"a": "ä"}')


def test_records_as_json(stream: str, put: Put, kcl: Kcl) -> None:
    put(b"[1]", b"words")

    found = json.loads(kcl("tail", "--stream", stream, "--json").out)

    assert [(row["data"], row["decoded_as"]) for row in found] == [([1], "json"), ("words", "text")]


def test_a_place_and_a_number(stream: str, put: Put, kcl: Kcl) -> None:
    numbers = put(b"0", b"1", b"2", b"3")
    at = ("--stream", stream)

    def values(*arguments: str) -> list[int]:
        return [row["data"] for row in rows(kcl, *at, *arguments)]

    assert values("--from", f"after:{numbers[1]}") == [2, 3]
    assert values(FIRST, "--from", f"at:{numbers[1]}/0", "--max", "2") == [1, 2]
    assert values("--from", "-1h", "-n", "1") == [0]
    assert values("--from", "latest") == []


def test_conditions(stream: str, put: Put, kcl: Kcl) -> None:
    put(*(json.dumps(person).encode() for person in PEOPLE), b"no json", b'{"in": {"x": null}}')
    at = ("--stream", stream)

    def ages(*arguments: str) -> list[int]:
        return [row["data"]["age"] for row in rows(kcl, *at, *arguments)]

    assert ages("--where", "name=ann") == [3, 5]
    assert ages("--where", "name=ann", "--where", "age=5") == [5]
    assert ages("--where", "name=ann", "--max", "1") == [3]
    assert len(rows(kcl, *at, "--where", "in.x=null")) == 1
    assert len(rows(kcl, *at, "--where", "age=3", "--decode", "hex")) == 1
    assert kcl("tail", *at, "--where", "name").failed(2, "field=value")


ZIPPED_JSON = gzip.compress(b"[1]", mtime=0)
ZIPPED_WORDS = gzip.compress(b"words", mtime=0)


@pytest.mark.parametrize(
    ("form", "data", "shown"),
    [
        ("auto", b'{"a":1}', ({"a": 1}, "json", None)),
        ("auto", "Grüße".encode(), ("Grüße", "text", None)),
        ("auto", b"\x00\xff", ("AP8=", "base64", None)),
        ("auto", b"esc \x1b[2J", ("ZXNjIBtbMko=", "base64", None)),
        ("auto", ZIPPED_JSON, ([1], "gzip json", None)),
        ("auto", b"\x1f\x8bnot gzip \xff", ("H4tub3QgZ3ppcCD/", "base64", None)),
        ("gzip", ZIPPED_WORDS, ("words", "gzip text", None)),
        ("gzip", b"words", ("d29yZHM=", "base64", "not gzip, or too large, or cut")),
        ("gzip", ZIPPED_WORDS[:-1], (..., "base64", "not gzip, or too large, or cut")),
        ("json", b"words", ("d29yZHM=", "base64", "not JSON")),
        ("text", b"[1]", ("[1]", "text", None)),
        ("text", b"a\xff", ("Yf8=", "base64", "not UTF-8 text (byte 1)")),
        ("hex", b"\x00\xff", ("00ff", "hex", None)),
        ("base64", b"[1]", ("WzFd", "base64", None)),
    ],
)
def test_forms_of_data(
    bare: None,
    kcl: Kcl,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
    data: bytes,
    shown: tuple[Any, str, str | None],
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(base64.b64encode(data).decode() + "\n"))

    row = json.loads(kcl("decode", "--decode", form, "-o", "jsonl").out)

    assert shown[0] in (row["data"], ...)
    assert (row["decoded_as"], row.get("problem")) == shown[1:]


def test_aggregated_records_are_opened_unless_raw(stream: str, put: Put, kcl: Kcl) -> None:
    packed = packed_of("ann", "bob")
    [number] = put(packed)

    opened = rows(kcl, "--stream", stream)
    closed = rows(kcl, "--stream", stream, "--raw")

    assert [row["position"] for row in opened] == [f"{number}/0", f"{number}/1"]
    assert [row["partition_key"] for row in opened] == ["ann", "bob"]
    assert [row["data"] for row in closed] == [base64.b64encode(packed).decode()]


def packed_of(*keys: str) -> bytes:
    packed = Aggregate(size_bytes_max=1_000)
    for key in keys:
        assert packed.add(b"[1]", key)
    return packed.encode()


def test_following_goes_on_until_the_time_is_over(stream: str, put: Put, kcl: Kcl) -> None:
    put(b"1", b"2")
    at = ("--stream", stream, "--from", "earliest", "--follow")

    assert [row["data"] for row in rows(kcl, *at, "--timeout", "1s")] == [1, 2]
    assert [row["data"] for row in rows(kcl, *at, "--max", "2")] == [1, 2]
    assert kcl("tail", *at, "--json").failed(2, "-o jsonl")


def test_out_of_time_before_the_newest_record_is_no_success(
    stream: str, put: Put, kcl: Kcl, at_engine: EngineProcess
) -> None:
    put(b"1")
    at_engine.set_faults([{"kind": "throttle", "operations": ["GetRecords"]}])
    try:
        typed = kcl("tail", "--stream", stream, "--timeout", "300ms")
    finally:
        at_engine.set_faults([])

    assert typed.failed(5, "not reached within 300ms")
    assert kcl("tail", "--stream", stream, "--timeout", "60s").code == 0


def test_ctrl_c_is_how_following_ends(
    stream: str, put: Put, kcl: Kcl, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kcl_py.cli.streams.tail._write", interrupted)

    assert kcl("tail", "--stream", stream, "--follow").code == 0
    assert kcl("tail", "--stream", stream).code == 130


def test_what_cannot_be_read_is_told_in_one_line(stream: str, kcl: Kcl) -> None:
    at = ("--stream", stream)

    assert kcl("tail").failed(2, "--stream NAME|ARN")
    assert kcl("tail", "--stream", "nowhere").failed(3, "no such stream")
    assert kcl("tail", *at, "--from", "soon").failed(2, "'soon'", "at:SEQ/SUB")
    assert kcl("tail", "shardId-7", *at).failed(2, "no shard shardId-7", FIRST)
    assert kcl("tail", *at, "--from", "at:12").failed(2, "no such place in this shard")


# ------------------------------------------------------------------------------------------- decode


def test_decode_opens_aggregated_records(
    bare: None, kcl: Kcl, monkeypatch: pytest.MonkeyPatch
) -> None:
    pasted = f'"{base64.b64encode(packed_of("ann", "bob")).decode()}",\n\n  WzJd\n'
    monkeypatch.setattr("sys.stdin", io.StringIO(pasted))

    assert kcl("decode").out.splitlines() == ["0  ann  [1]", "1  bob  [1]", "[2]"]


def test_half_a_character_is_shown_as_json_spells_it(stream: str, put: Put, kcl: Kcl) -> None:
    put(b'{"name": "\\ud800"}')

    [row] = rows(kcl, "--stream", stream)
    [same] = json.loads(kcl("tail", "--stream", stream, "--json").out)

    assert row["data"] == same["data"] == {"name": "\ud800"}


def test_decode_names_what_is_no_text(kcl: Kcl, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.TextIOWrapper(io.BytesIO(b"eyJhIjoxfQ==\n\xff\xfe\x00"), encoding="utf-8")
    monkeypatch.setattr("sys.stdin", raw)

    assert kcl("decode").failed(2, "is no text", "base64")


def test_decode_names_the_line_that_is_no_base64(
    bare: None, kcl: Kcl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("WzJd\n$$$\n"))

    assert kcl("decode").failed(2, "line 2 is no base64")


# ------------------------------------------------------------------------------------------ lineage


def shard(name: str, low: int, high: int, *parents: str, is_open: bool = False) -> ShardDescription:
    return ShardDescription(
        shard_id=name,
        parent_shard_ids=parents,
        is_open=is_open,
        starting_hash_key=low << 120,
        ending_hash_key=(high << 120) - 1,
        starting_sequence_number="1",
    )


FAMILY = [
    shard("a", 0, 128),
    shard("b", 128, 256, "trimmed"),
    shard("c", 0, 64, "a", is_open=True),
    shard("d", 64, 128, "a"),
    shard("e", 64, 256, "d", "b", is_open=True),
]


def test_a_merged_shard_stands_under_both_parents_and_is_drawn_once() -> None:
    assert as_text(FAMILY).splitlines() == [
        "a closed 50 %",
        "├─ c open 25 %",
        "└─ d closed 25 %",
        "   └─ e open 75 % merged",
        "b closed 50 %",
        "└─ e open 75 % merged (as above)",
    ]


def test_other_drawings_have_every_shard_and_every_descent() -> None:
    mermaid, svg = as_mermaid(FAMILY), as_svg(FAMILY)

    assert mermaid.count("-->") == svg.count("<path") == 4
    assert svg.count("<rect") == 5
    assert "s3 --> s4" in mermaid
