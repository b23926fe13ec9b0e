"""Who puts the records? Each contender in a process of its own.

    python -m tests.bench.writers boto3 --records 100000 --record-bytes 100

Prints one line: how many records, and the CPU seconds that they took, warming up left out. Data and
keys are made beforehand; every record has a key.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from kcl_py.local.environment import REGION
from tests.bench.meter import Meter
from tests.bench.puts import payloads
from tests.bench.server import STREAM

if TYPE_CHECKING:
    from kcl_py import ProducerConfig

WARM_PART: Final = 10
AT_ONCE: Final = 500  # Source: PutRecords, Records.
TOGETHER: Final = 5_000
"""Given to one `put_many`."""

DIFFERENT: Final = 1_000
"""Keys and data repeat after so many."""

Pair = tuple[bytes, str]
Put = Callable[[Iterator[Pair]], None]


def put_with_boto3() -> Put:
    """A loop of put_records as it is; what failed would have to be sent again."""
    import boto3

    kinesis: Any = boto3.client("kinesis", region_name=REGION)

    def put(pairs: Iterator[Pair]) -> None:
        while batch := [
            {"Data": data, "PartitionKey": key} for data, key in islice(pairs, AT_ONCE)
        ]:
            answer = kinesis.put_records(StreamName=STREAM, Records=batch)
            assert answer["FailedRecordCount"] == 0

    return put


def put_with_producer(config: ProducerConfig) -> Put:
    """`kcl_py.Producer`, flushed at the end."""
    from kcl_py import Producer

    producer = Producer(STREAM, config=config)

    def put(pairs: Iterator[Pair]) -> None:
        for data, key in pairs:
            producer.put(data, key=key)
        assert producer.flush() == []

    return put


def put_all_with_producer(config: ProducerConfig) -> Put:
    """The same by `put_many`."""
    from kcl_py import Producer

    producer = Producer(STREAM, config=config)

    def put(pairs: Iterator[Pair]) -> None:
        while some := list(islice(pairs, TOGETHER)):
            producer.put_many(some)
        assert producer.flush() == []

    return put


def put_one_by_one() -> Put:
    """As most would begin with it."""
    from kcl_py import ProducerConfig

    return put_with_producer(ProducerConfig(region=REGION))


def put_in_order() -> Put:
    """Records of one key in order."""
    from kcl_py import ProducerConfig

    return put_with_producer(ProducerConfig(region=REGION, order="per_key"))


def put_aggregated() -> Put:
    """Many records in one."""
    from kcl_py import ProducerConfig

    return put_with_producer(ProducerConfig(region=REGION, aggregation="per_shard"))


def put_many() -> Put:
    """Thousands by one call."""
    from kcl_py import ProducerConfig

    return put_all_with_producer(ProducerConfig(region=REGION))


def put_many_aggregated() -> Put:
    """Both."""
    from kcl_py import ProducerConfig

    return put_all_with_producer(ProducerConfig(region=REGION, aggregation="per_shard"))


WRITERS: Final = MappingProxyType[str, Callable[[], Put]](
    {
        "boto3": put_with_boto3,
        "producer": put_one_by_one,
        "many": put_many,
        "ordered": put_in_order,
        "aggregated": put_aggregated,
        "many_aggregated": put_many_aggregated,
    }
)


def pairs_of(size: int) -> Iterator[Pair]:
    """Return records without end, made already."""
    keys = [f"customer-{number:06d}" for number in range(DIFFERENT)]
    return cycle(list(zip(payloads(size, DIFFERENT), keys, strict=True)))


def main() -> None:
    """Put, and say what it took."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.writers")
    parser.add_argument("name", choices=sorted(WRITERS))
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--record-bytes", type=int, required=True)
    options = parser.parse_args()
    warm = options.records // WARM_PART
    meter = Meter(warm=warm, total=options.records)
    put = WRITERS[options.name]()
    pairs = pairs_of(options.record_bytes)
    for count in (warm, options.records - warm):
        put(islice(pairs, count))
        meter.add(count)
    meter.tell()


if __name__ == "__main__":
    main()
