"""Does `kcl put` put what it was given, and say where it is or why it is not?"""

from __future__ import annotations

import base64
import io
import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kcl_py.local.process import EngineProcess
from kcl_py.local.session import make_session
from kcl_py.streams import Stream
from tests.cli.typed import Kcl
from tests.local.worlds import FIRST

NUMBERS = itertools.count()


@pytest.fixture
def stream(at_engine: EngineProcess, clients: Mapping[str, Any]) -> Iterator[str]:
    name = f"put-{next(NUMBERS)}"
    kinesis = clients["kinesis"]
    kinesis.create_stream(StreamName=name, ShardCount=1)
    Stream(name, session=make_session(at_engine.endpoint_url)).wait_active(timeout=60)
    yield name
    kinesis.delete_stream(StreamName=name)


def stored(kcl: Kcl, stream: str) -> list[dict[str, Any]]:
    typed = kcl("tail", "--stream", stream, "-o", "jsonl", "--decode", "base64")
    return [json.loads(line) for line in typed.out.splitlines()]


def data_of(row: Mapping[str, Any]) -> bytes:
    return base64.b64decode(row["data"])


def test_a_record_and_its_place(stream: str, kcl: Kcl) -> None:
    typed = kcl("put", stream, "Grüße", "--key", "ann")

    [row] = stored(kcl, stream)
    shard_id, number = typed.out.split()
    assert typed.code == 0
    assert (shard_id, f"{number}/0") == (FIRST, row["position"])
    assert (data_of(row).decode(), row["partition_key"]) == ("Grüße", "ann")


def test_the_place_as_json(stream: str, kcl: Kcl) -> None:
    found = json.loads(kcl("put", "--stream", stream, "x", "--json").out)
    [line] = kcl("put", stream, "x", "--hash-key", str(2**128 - 1), "-o", "jsonl").out.splitlines()

    assert found["stream"] == stream
    assert found["shard_id"] == json.loads(line)["shard_id"] == FIRST
    assert len(stored(kcl, stream)) == 2


def test_data_from_elsewhere(
    stream: str, kcl: Kcl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").write_bytes(b"\x00\xff\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"AP8K\n")))

    assert kcl("put", stream, "@data").code == 0
    assert kcl("put", stream, "-", "--base64").code == 0
    assert [data_of(row) for row in stored(kcl, stream)] == [b"\x00\xff\n"] * 2


def test_what_cannot_be_put_says_why(stream: str, kcl: Kcl, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(2 * 1024 * 1024))

    assert kcl("put").failed(2, "nothing to put")
    assert kcl("put", "x").failed(2, "no stream is named", "kcl put STREAM DATA", "KCL_STREAM")
    assert kcl("put", stream, "x", "y").failed(2, "quotes")
    assert kcl("put", "other", "x", "--stream", stream).failed(2, "two streams")
    assert kcl("put", stream, "@nowhere").failed(2, "nowhere cannot be read")
    assert kcl("put", stream, "$", "--base64").failed(2, "no base64")
    assert kcl("put", stream, "x", "--key", "").failed(2, "key is empty")
    assert kcl("put", stream, "x", "--key", "k" * 257).failed(2, "257 characters")
    assert kcl("put", stream, "x", "--hash-key", str(2**128)).failed(2, "hash_key")
    assert kcl("put", stream, "@large").failed(2, "2097168 bytes", "takes 1048576")
    assert kcl("put", "nowhere", "x").failed(3, "nowhere", "does not exist")
    assert stored(kcl, stream) == []


@pytest.mark.parametrize(
    ("rule", "code", "word"), [("throttle", 3, "Throughput"), ("deny", 3, "kinesis:PutRecords")]
)
def test_what_the_service_refuses(
    stream: str, kcl: Kcl, at_engine: EngineProcess, rule: str, code: int, word: str
) -> None:
    at_engine.set_faults([{"kind": rule, "operations": ["PutRecords"]}])
    try:
        typed = kcl("put", stream, "x", "--timeout", "1s")
    finally:
        at_engine.set_faults([])

    assert typed.code in (code, 5)
    if typed.code == code:
        assert typed.failed(code, word)
