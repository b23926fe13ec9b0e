"""Does `kcl dlq` show what was given up, and put it back without losing any?"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kcl_py import DeadLetter, Record
from kcl_py.dead_letters import JsonLinesDeadLetters
from kcl_py.local.process import EngineProcess
from kcl_py.local.session import make_session
from kcl_py.streams import Stream
from tests.cli.typed import Kcl

NUMBERS = itertools.count()


@pytest.fixture
def stream(at_engine: EngineProcess, clients: Mapping[str, Any]) -> Iterator[str]:
    """The ARN of a stream of one shard."""
    name = f"dlq-{next(NUMBERS)}"
    kinesis = clients["kinesis"]
    kinesis.create_stream(StreamName=name, ShardCount=1)
    handle = Stream(name, session=make_session(at_engine.endpoint_url))
    yield handle.wait_active(timeout=60).arn
    kinesis.delete_stream(StreamName=name)


def letter(stream: str, number: int, **changes: Any) -> DeadLetter:
    usual: dict[str, Any] = {"data": b"order %d" % number, "partition_key": f"key {number}"}
    return DeadLetter(
        record=Record(sequence_number=str(number), **(usual | changes)),
        app_name="shop",
        stream_arn=stream,
        shard_id="shardId-000000000000",
        attempts=3,
        error_type="ValueError",
        error_message="no such price",
        failed_at=datetime(2026, 11, 26, 6, 0, tzinfo=UTC),
    )


def written(path: Path, *letters: DeadLetter) -> str:
    JsonLinesDeadLetters(path).write(letters)
    return str(path)


def rows_of(kcl: Kcl, source: str) -> list[dict[str, Any]]:
    typed = kcl("dlq", "list", source, "-o", "jsonl")
    assert typed.code == 0
    return [json.loads(line) for line in typed.out.splitlines()]


def stored(kcl: Kcl, stream: str) -> list[tuple[str, str]]:
    typed = kcl("tail", "--stream", stream, "-o", "jsonl", "--decode", "text")
    rows = [json.loads(line) for line in typed.out.splitlines()]
    return [(row["partition_key"], row["data"]) for row in rows]


def test_a_list_names_letters_and_shows_neither_data_nor_messages(
    stream: str, kcl: Kcl, tmp_path: Path
) -> None:
    source = written(tmp_path / "dead.jsonl", letter(stream, 1), letter(stream, 2))

    table = kcl("dlq", "list", source)
    rows = rows_of(kcl, f"file:{source}")

    assert table.code == 0
    assert "2 dead letters" in table.out
    assert [row["position"] for row in rows] == ["1/0", "2/0"]
    assert {row["error_type"] for row in rows} == {"ValueError"}
    for secret in ("order 1", "key 1", "no such price"):
        assert secret not in table.out + str(rows)


def test_a_letter_is_shown_whole(stream: str, kcl: Kcl, tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    source = written(path, letter(stream, 1), letter(stream, 2, data=b"\xff\x00"))
    first, second = (row["id"] for row in rows_of(kcl, source))

    as_text, as_base64 = kcl("dlq", "show", source, first), kcl("dlq", "show", source, second)
    as_json = json.loads(kcl("dlq", "show", source, first, "--json").out)

    assert "order 1" in as_text.out
    assert "no such price" in as_text.out
    assert "base64:/wA=" in as_base64.out
    assert (as_json["partition_key"], as_json["data"]) == ("key 1", "b3JkZXIgMQ==")
    assert kcl("dlq", "show", source, "nobody").failed(2, "no dead letter nobody", "kcl dlq list")


def test_a_redrive_delivers_once_and_empties_the_list(
    stream: str, kcl: Kcl, tmp_path: Path
) -> None:
    path = tmp_path / "dead.jsonl"
    source = written(path, letter(stream, 1), letter(stream, 2), letter(stream, 1))
    before = path.read_bytes()

    dry = kcl("dlq", "redrive", source, "--dry-run")
    typed = kcl("dlq", "redrive", source, "--json")
    again = kcl("dlq", "redrive", source)

    assert (dry.code, "nothing was done" in dry.err) == (0, True)
    assert (typed.code, json.loads(typed.out)) == (0, {"delivered": 2, "failed": 0})
    assert (again.code, again.out) == (0, "0 delivered, 0 kept\n")
    assert sorted(stored(kcl, stream)) == [("key 1", "order 1"), ("key 2", "order 2")]
    assert rows_of(kcl, source) == []
    assert path.read_bytes() == before, "workers may be appending to it"


def test_one_letter_into_another_stream(
    stream: str, kcl: Kcl, tmp_path: Path, clients: Mapping[str, Any]
) -> None:
    gone = stream + "-that-is-gone"
    source = written(tmp_path / "dead.jsonl", letter(gone, 1), letter(gone, 2))
    first, second = (row["id"] for row in rows_of(kcl, source))

    typed = kcl("dlq", "redrive", source, "--only", second, "--to", stream)

    assert typed.code == 0
    assert stored(kcl, stream) == [("key 2", "order 2")]
    assert [row["id"] for row in rows_of(kcl, source)] == [first]


def test_what_cannot_be_delivered_is_kept_and_told(stream: str, kcl: Kcl, tmp_path: Path) -> None:
    gone = stream + "-that-is-gone"
    source = written(tmp_path / "dead.jsonl", letter(gone, 1), letter(stream, 2))

    typed = kcl("dlq", "redrive", source, "--timeout", "3s")

    assert typed.code == 1
    assert typed.out == "1 delivered, 1 kept\n"
    assert "was not delivered and is kept" in typed.err
    assert [row["position"] for row in rows_of(kcl, source)] == ["1/0"]


def test_an_explicit_hash_key_is_put_back(
    stream: str, kcl: Kcl, tmp_path: Path, clients: Mapping[str, Any]
) -> None:
    name = stream.rpartition("/")[2]
    clients["kinesis"].split_shard(
        StreamName=name, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127)
    )
    session = make_session(clients["kinesis"].meta.endpoint_url)
    Stream(name, session=session).wait_active(timeout=60)
    high = letter(stream, 1, explicit_hash_key=str(2**128 - 1))
    low = letter(stream, 2, explicit_hash_key="0")

    assert kcl("dlq", "redrive", written(tmp_path / "dead.jsonl", high, low)).code == 0

    typed = kcl("tail", "--stream", stream, "-o", "jsonl", "--decode", "text")
    rows = [json.loads(line) for line in typed.out.splitlines()]
    shards = {row["data"]: row["shard_id"] for row in rows}
    assert shards == {"order 1": "shardId-000000000002", "order 2": "shardId-000000000001"}


def test_a_torn_line_is_told_of(stream: str, kcl: Kcl, tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    source = written(path, letter(stream, 1))
    with path.open("ab") as file:
        file.write(b'{"version":1,"app')

    typed = kcl("dlq", "list", source, "--json")

    assert typed.code == 0
    assert len(json.loads(typed.out)) == 1
    assert "is no dead letter: it is no JSON; it is left there" in typed.err


def test_wrong_usage_names_the_way_out(kcl: Kcl, tmp_path: Path) -> None:
    assert kcl("dlq", "list", str(tmp_path / "no.jsonl")).failed(2, "no file of dead letters")
    assert kcl("dlq", "list", "s3://").failed(2, "s3://bucket/prefix")
    assert kcl("dlq", "list", "sqs:dead").failed(2, "sqs://host/account/queue")
    assert kcl("dlq").code == 2
