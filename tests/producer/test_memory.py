"""Does a record take no more memory than the buffer counts for it?"""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest

from kcl_py.aws.direct.connection import Pool
from kcl_py.aws.direct.http import Answer
from kcl_py.aws.names import parse_stream
from kcl_py.aws.put import open_port
from kcl_py.core.puts import PUT_BYTES_MAX, PutRefused
from kcl_py.core.shards.graph import Shard
from kcl_py.producer.config import ProducerConfig
from kcl_py.producer.core.commands import ListShards, Send
from kcl_py.producer.core.machine import ProducerCore
from kcl_py.producer.core.units import Item
from kcl_py.producer.deliveries import ThreadDelivery
from tests.producer.conftest import Stream

RECORDS = 5_000
WHOLE = Shard(shard_id="shard", parents=(), hash_range=(0, 2**128 - 1), is_open=True)


def core_of(**settings: Any) -> ProducerCore:
    """A producer that knows its shards already."""
    core = ProducerCore(ProducerConfig(buffer_bytes=1 << 30, **settings), random.Random(0))
    put(core, b"", "key")
    if isinstance(core.poll(0.0), ListShards):
        core.listed([WHOLE], 0.0)
    return core


def put(core: ProducerCore, data: bytes, key: str) -> None:
    # No engine: all records share one.
    assert core.put(ThreadDelivery(data, key, None, len(data) + len(key)), 0.0)


@pytest.mark.parametrize("size", [10, 1_000])
@pytest.mark.parametrize("order", ["none", "per_key"])
@pytest.mark.parametrize("aggregation", ["off", "per_shard"])
def test_memory_is_counted_right(size: int, order: str, aggregation: str) -> None:
    core = core_of(order=order, aggregation=aggregation)
    counted = core.ledger.used
    tracemalloc.start()
    try:
        for number in range(RECORDS):
            put(core, random.Random(number).randbytes(size), f"key-{number:06d}")
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert taken <= core.ledger.used - counted <= 2 * taken


def test_what_was_delivered_takes_nothing() -> None:
    core = core_of(order="per_key")
    core.begin_flush()
    tracemalloc.start()
    try:
        for number in range(RECORDS):
            put(core, bytes(1000), f"key-{number}")
        while isinstance(command := core.poll(1.0), Send):
            core.answered(command.send_id, [_Stored()] * len(command.units), 1.0)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert core.ledger.used == 0
    assert taken < 300_000


@pytest.mark.parametrize("size", [1_000, 10_000, 1_000_000])
def test_a_request_under_way_takes_as_much_as_the_page_says(
    stream: Stream, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """About 1.4 times its data, at most 7 MB; it is not counted in the buffer."""
    port = open_port(
        parse_stream(stream.name),
        region=None,
        endpoint_url=None,
        session=stream.session,
        connections=1,
    )
    for _ in range(2):  # the first goes by botocore
        port.put([Item(b"x", "key", None, 4)])
    held: list[int] = []
    ask = Pool.ask

    def measured(self: Pool, request: bytes) -> Answer:
        held.append(tracemalloc.get_traced_memory()[0])
        return ask(self, request)

    monkeypatch.setattr(Pool, "ask", measured)
    count = min(500, PUT_BYTES_MAX // (size + 3))
    units = [Item(bytes(size), "key", None, size + 3) for _ in range(count)]
    tracemalloc.start()
    try:
        said = port.put(units)
    finally:
        tracemalloc.stop()
    port.close()

    assert not isinstance(said, PutRefused)
    assert len(held) == 1
    assert held[0] <= 1.4 * sum(unit.size for unit in units) + 100_000
    assert held[0] <= 7_100_000


class _Stored:
    shard_id = "shard"
    sequence_number = "1"
    error_code = None
    error_message = None
