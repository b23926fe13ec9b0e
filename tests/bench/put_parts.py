"""Where does the CPU of an aggregated record go? By part, without threads and sockets.

    python -m tests.bench.put_parts --records 100000 --record-bytes 100

Prints one line: CPU seconds of each part. Each is measured alone, the best of some turns, so what
they add up to is less than the whole.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from types import SimpleNamespace
from typing import Any, Final

import msgspec

from kcl_py.aggregation import FRAME_BYTES, aggregate_all
from kcl_py.core.shards.graph import Shard
from kcl_py.producer.config import ProducerConfig
from kcl_py.producer.core.commands import ListShards
from kcl_py.producer.core.machine import ProducerCore
from kcl_py.producer.core.packing import Pack
from kcl_py.producer.deliveries import ThreadDelivery
from kcl_py.producer.opening import fill
from tests.bench.meter import print_json
from tests.bench.writers import Pair, pairs_of

TURNS: Final = 5
SHARDS: Final = 4


@dataclass(frozen=True, slots=True)
class Stored:
    """What a service says of an entry that it stored."""

    shard_id: str = "shardId-000000000000"
    sequence_number: str = "1"
    error_code: None = None
    error_message: None = None


def packs_of(items: list[ThreadDelivery]) -> list[list[Any]]:
    """Return the records of each pack, for one shard, that the producer would make."""
    found: list[list[Any]] = []
    pack = Pack("", 0.0)
    for item in items:
        if not pack.add(item):
            found.append(pack.items)
            pack = Pack("", 0.0)
            pack.add(item)
    return [*found, pack.items]


def best(work: Callable[[Any], object], prepare: Callable[[], Any] = lambda: None) -> float:
    """Return the least CPU seconds of some turns, each on something new."""
    found = []
    for _ in range(TURNS):
        given = prepare()
        began = time.process_time()
        work(given)
        found.append(time.process_time() - began)
    return min(found)


class Parts:
    """Measures each part on the same records."""

    def __init__(self, pairs: list[Pair]) -> None:
        self.pairs = pairs
        self.opened: Any = SimpleNamespace(engine=None)
        self.packs = packs_of(self.items())
        self.written = [aggregate_all(pack) for pack in self.packs]

    def items(self) -> list[ThreadDelivery]:
        """Return the records, new."""
        opened = self.opened
        return [fill(ThreadDelivery, opened, data, key, None) for data, key in self.pairs]

    def core(self) -> tuple[ProducerCore, list[ThreadDelivery]]:
        """Return a core that knows its shards and aggregates, and records for it."""
        config = ProducerConfig(aggregation="per_shard", buffer_bytes=1 << 30)
        core = ProducerCore(config, random.Random(0))
        core.put(ThreadDelivery(b"", "k", None, 1), 0.0)
        assert isinstance(core.poll(0.0), ListShards)
        width = 2**128 // SHARDS
        ranges = [(place * width, (place + 1) * width - 1) for place in range(SHARDS)]
        core.listed(
            [
                Shard(shard_id=str(place), parents=(), hash_range=each, is_open=True)
                for place, each in enumerate(ranges)
            ],
            0.0,
        )
        core.next_due()
        return core, self.items()

    def measure(self) -> dict[str, float]:
        """Return the CPU seconds of each part, for all records together."""
        make = best(lambda _: self.items())
        digest = best(lambda _: [self._digest(blob) for blob in self.written])
        write = best(lambda _: [aggregate_all(pack) for pack in self.packs])
        one_by_one = best(self._put_each, self.core)
        pages = best(self._put_pages, self.core)
        spell = best(lambda _: self._spell())
        outcome = best(self._deliver, self.core)
        return {
            "make": make,
            "put": one_by_one - write,
            "page": pages - write,
            "write": write - digest,
            "digest": digest,
            "spell": spell,
            "outcome": outcome,
        }

    def _digest(self, blob: bytes) -> bytes:
        return hashlib.md5(blob[:-FRAME_BYTES], usedforsecurity=False).digest()

    def _put_each(self, given: tuple[ProducerCore, list[ThreadDelivery]]) -> None:
        core, items = given
        for item in items:
            core.put(item, 0.0)

    def _put_pages(self, given: tuple[ProducerCore, list[ThreadDelivery]]) -> None:
        core, items = given
        for start in range(0, len(items), 500):
            core.put_first(items[start : start + 500], 0.0)

    def _spell(self) -> None:
        encode = msgspec.json.Encoder().encode
        for start in range(0, len(self.written), 100):
            entries = [
                {"Data": blob, "PartitionKey": "k"} for blob in self.written[start : start + 100]
            ]
            hashlib.sha256(encode({"Records": entries})).digest()

    def _deliver(self, given: tuple[ProducerCore, list[ThreadDelivery]]) -> None:
        core, items = given
        for start in range(0, len(items), 400):
            core.ledger.delivered(items[start : start + 400], Stored(), 1, 0.0)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.put_parts")
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--record-bytes", type=int, required=True)
    options = parser.parse_args()
    pairs = list(islice(pairs_of(options.record_bytes), options.records))
    print_json(records=len(pairs), **Parts(pairs).measure())


if __name__ == "__main__":
    main()
