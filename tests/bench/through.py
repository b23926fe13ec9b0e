"""Who gets how many records a second through one shard? Each contender in a process of its own.

    python -m tests.bench.through boto3 --record-bytes 100 --seconds 8

Against an engine that keeps the service's limits: 1,000 records and 1 MiB a second. A shard that
rested may take a second's worth at once, so measuring begins after that. Prints one line: how many
records were stored, and in how many seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from kcl_py.local.environment import REGION
from tests.bench.meter import print_json
from tests.bench.server import STREAM
from tests.bench.writers import AT_ONCE, Pair, pairs_of

WARM_SECONDS: Final = 2.0
REST_SECONDS: Final = 0.1
"""After entries were refused; the shard's allowance grows meanwhile."""

BUFFER_BYTES: Final = 8 * 1024 * 1024
"""Some seconds' worth, so that the end need not wait for a minute's."""


class Through:
    """One contender. `put` runs until `is_over`; `stored` may be read meanwhile."""

    is_over = False

    def put(self, pairs: Iterator[Pair]) -> None:
        """Put without end."""
        raise NotImplementedError

    def stored(self) -> int:
        """How many records were stored so far."""
        raise NotImplementedError


class ByBoto3(Through):
    """A loop of put_records that sends again what was refused, with new ones."""

    def __init__(self) -> None:
        import boto3

        self._kinesis: Any = boto3.client("kinesis", region_name=REGION)
        self._stored = 0

    def put(self, pairs: Iterator[Pair]) -> None:
        """As `Through`."""
        batch: list[dict[str, Any]] = []
        while not self.is_over:
            new = islice(pairs, AT_ONCE - len(batch))
            batch += [{"Data": data, "PartitionKey": key} for data, key in new]
            said = self._kinesis.put_records(StreamName=STREAM, Records=batch)["Records"]
            refused = [
                entry for entry, each in zip(batch, said, strict=True) if "ErrorCode" in each
            ]
            self._stored += len(batch) - len(refused)
            batch = refused
            if refused:
                time.sleep(REST_SECONDS)

    def stored(self) -> int:
        """As `Through`."""
        return self._stored


class ByProducer(Through):
    """`kcl_py.Producer`, which waits while its buffer is full."""

    def __init__(self, aggregation: Any) -> None:
        from kcl_py import Producer, ProducerConfig

        config = ProducerConfig(region=REGION, aggregation=aggregation, buffer_bytes=BUFFER_BYTES)
        self._producer = Producer(STREAM, config=config)

    def put(self, pairs: Iterator[Pair]) -> None:
        """As `Through`."""
        from kcl_py import Undelivered

        while not self.is_over:
            for data, key in islice(pairs, 100):
                self._producer.put(data, key=key)
        with contextlib.suppress(Undelivered):  # what is left in the buffer
            self._producer.close(0.0)

    def stored(self) -> int:
        """As `Through`."""
        counters = self._producer.counters()
        assert not counters.failures
        return counters.records


CONTENDERS: Final = MappingProxyType[str, Callable[[], Through]](
    {
        "boto3": ByBoto3,
        "producer": lambda: ByProducer("off"),
        "aggregated": lambda: ByProducer("per_shard"),
    }
)


def main() -> None:
    """Put for a while, and say what came through."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.through")
    parser.add_argument("name", choices=sorted(CONTENDERS))
    parser.add_argument("--record-bytes", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--warm", type=float, default=WARM_SECONDS, help="seconds before these")
    options = parser.parse_args()
    contender = CONTENDERS[options.name]()
    thread = threading.Thread(target=contender.put, args=(pairs_of(options.record_bytes),))
    thread.start()
    time.sleep(options.warm)
    began, before = time.monotonic(), contender.stored()
    time.sleep(options.seconds)
    ended, after = time.monotonic(), contender.stored()
    contender.is_over = True
    thread.join()
    print_json(records=after - before, wall=ended - began)


if __name__ == "__main__":
    main()
