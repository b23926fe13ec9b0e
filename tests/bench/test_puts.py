"""Does the stub answer puts as the service would, and do the contenders put what they say?"""

from __future__ import annotations

import json
import sys
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.aggregation import hash_key
from tests.bench.children import Stub, measured
from tests.bench.figures import Figure
from tests.bench.produce import NAMES, SIZES, Size, matrix, what
from tests.bench.puts import answer, payloads
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


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_contender_puts_all_and_says_what_it_took(name: str) -> None:
    command = [sys.executable, "-m", "tests.bench.writers", name]
    with Stub(None, shards=4) as stub:
        found = measured([*command, "--records", "2000", "--record-bytes", "100"], stub.environment)
        sent = stub.requests("kinesis", "PutRecords")

    assert found["records"] == 1_800
    assert found["cpu"] > 0
    assert sent >= 2
