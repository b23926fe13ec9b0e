"""Does the stub answer puts as the service would, and do the contenders put what they say?"""

from __future__ import annotations

import json
import sys
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.aggregation import hash_key
from kcl_py.local.process import EngineProcess
from kcl_py.local.session import make_session
from kcl_py.streams import ensure_stream
from tests.bench.children import Stub, measured
from tests.bench.figures import Figure
from tests.bench.produce import (
    NAMES,
    PARTS,
    SIZES,
    THROUGH_NAMES,
    THROUGH_SIZES,
    Size,
    allowed,
    matrix,
    ratios,
    shard_table,
    what,
)
from tests.bench.put_parts import Parts
from tests.bench.puts import answer, payloads
from tests.bench.server import STREAM
from tests.bench.through import CONTENDERS
from tests.bench.writers import WRITERS, pairs_of


@given(st.lists(st.text(min_size=1), min_size=1, max_size=20), st.sampled_from([10, 30_000]))
def test_every_entry_is_answered_and_large_ones_with_their_shard(
    keys: list[str], size: int
) -> None:
    entries = [{"Data": "x" * size, "PartitionKey": key} for key in keys]

    found = json.loads(answer(json.dumps({"Records": entries}).encode(), 4))

    assert found["FailedRecordCount"] == 0
    assert all(each["SequenceNumber"].isdigit() for each in found["Records"])
    shards = [each["ShardId"] for each in found["Records"]]
    assert len(shards) == len(keys)
    if size > 10_000:
        assert shards == [f"shardId-{hash_key(key) >> 126:012d}" for key in keys]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
def test_records_have_the_size_that_they_are_named_after(size: Size) -> None:
    record_bytes = size.record_bytes
    pairs = list(islice(pairs_of(record_bytes), 1_500))

    assert {len(data) for data, _ in pairs} == {record_bytes}
    assert len(set(pairs)) == len(payloads(record_bytes, 1_000)) == 1_000


def test_every_contender_has_a_name_and_a_row() -> None:
    figures = {
        (size.name, "TLS", name): Figure(what="", unit="", samples=(1.0,))
        for size in SIZES
        for name in NAMES
    }

    assert set(WRITERS) == set(NAMES)
    for name, title in NAMES.items():
        assert f"| {title} | 1 / - | 1 / - | 1 / - |" in matrix(figures)
        assert title in what(("100 B", "TLS", name))
        assert (f"| {title} | 1 [1-1] |" in ratios(figures)) == (name != "boto3")


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_contender_puts_all_and_says_what_it_took(name: str) -> None:
    command = [sys.executable, "-m", "tests.bench.writers", name]
    with Stub(None, shards=4) as stub:
        found = measured([*command, "--records", "2000", "--record-bytes", "100"], stub.environment)
        sent = stub.requests("kinesis", "PutRecords")

    assert found["records"] == 1_800
    assert found["cpu"] > 0
    assert sent >= 2


def test_what_a_shard_allows_is_what_its_bytes_do() -> None:
    """By hand: 6 bytes around each of some hundred records, 2 around each key, little for all."""
    assert allowed(50, 1) == pytest.approx(2**20 / 56, rel=0.01)
    assert allowed(50, None) == pytest.approx(2**20 / (56 + 17), rel=0.02)
    judged = [size for size in THROUGH_SIZES if allowed(size, None) >= 10_000]
    assert judged == [50, 75]


def test_the_table_of_a_shard_has_every_size() -> None:
    figures = {
        (size, name): Figure(what="", unit="", samples=(10.0 if name == "aggregated" else 2.0,))
        for size in THROUGH_SIZES
        for name in THROUGH_NAMES
    }

    assert "| times | 5 [5-5] | 5 [5-5] | 5 [5-5] |" in shard_table(figures)
    assert "| 14,1" in shard_table(figures)


@pytest.mark.parametrize("name", sorted(CONTENDERS))
def test_records_come_through_a_shard(name: str) -> None:
    command = [sys.executable, "-m", "tests.bench.through", name, "--record-bytes", "50"]
    with EngineProcess() as engine:
        ensure_stream(STREAM, shards=1, session=make_session(engine.endpoint_url))
        found = measured([*command, "--warm", "0", "--seconds", "1"], engine.environment)

    assert found["records"] > 0
    assert found["wall"] >= 1


def test_every_part_of_an_aggregated_record_is_measured() -> None:
    pairs = list(islice(pairs_of(100), 2_000))
    parts = Parts(pairs)

    assert set(parts.measure()) == set(PARTS)
    assert sum(len(pack) for pack in parts.packs) == 2_000
