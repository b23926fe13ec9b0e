"""How many capacity units does each step of the protocol take?

Measured: the production writes, spelled by the production codec, on the engine's DynamoDB.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kcl_py.aws import attributes as wire
from kcl_py.aws.lease_codec import decode_row, encode_write, scan_request
from kcl_py.aws.table_setup import create_request
from kcl_py.config import TableConfig
from kcl_py.core.leases import writes
from kcl_py.core.leases.rows import LeaseRow, Sentinel, WorkerRow, WorkerState
from kcl_py.local.dynamo import Dynamo, DynamoSettings
from kcl_py.local.dynamo.capacity import read_units
from kcl_py.local.dynamo.values import clean, item_size
from kcl_py.records import Position
from kcl_py.testing.sim.clocks import WORLD_BEGAN_AT

if TYPE_CHECKING:
    from kcl_py.core.leases.writes import RowWrite

PAGE_BYTES = 1_000_000
"""Most that one page of a scan holds. Source: DynamoDB, Scan: 1 MB."""

_TABLE = "scale"
_OLD, _NEW = "host-1-4711-a1b2c3d4", "host-2-4712-e5f6a7b8"
_KEY = "shardId-000000004711"
_PARENT = "shardId-000000000815"


@dataclass(frozen=True, slots=True)
class Units:
    """Write units of each step, with those of the index; bytes of the rows.

    Attributes:
        writes: Write units by step.
        lease_bytes: One lease row in full work.
        worker_bytes: One worker row.
        entry_bytes: One entry of the index.
    """

    writes: dict[str, float]
    lease_bytes: int
    worker_bytes: int
    entry_bytes: int

    def pages(self, leases: int, workers: int) -> int:
        """Return how many pages a scan of so many rows has."""
        return max(1, -(-self.table_bytes(leases, workers) // PAGE_BYTES))

    def table_bytes(self, leases: int, workers: int) -> int:
        """Return the size of so many rows, bytes."""
        return leases * self.lease_bytes + workers * self.worker_bytes

    def scan(self, leases: int, workers: int, *, consistent: bool = False) -> float:
        """Return the read units of one scan of so many rows."""
        pages, size = self.pages(leases, workers), self.table_bytes(leases, workers)
        return pages * read_units(-(-size // pages), consistent=consistent)

    def index_query(self, leases: float) -> float:
        """Return the read units of one look into the index of a worker with so many leases."""
        return read_units(round(leases * self.entry_bytes), consistent=False)


@lru_cache(maxsize=1)
def measured() -> Units:
    """Carry out every step once on the engine and return what each took."""
    bench = _Bench()
    taken = {
        "create": bench.write(writes.create(_child())),
        "take_free": bench.take(_OLD),
        "renew": bench.renew(_OLD),
        "request": bench.write(writes.request(_KEY, me=_NEW, victim=_OLD)),
        "transfer": bench.write(
            writes.transfer(_KEY, me=_OLD, taker=_NEW, base=bench.counter, nonce="n")
        ),
        "take_offered": bench.take(_NEW),
        "take_expired": bench.take(_OLD),
    }
    lease_bytes = bench.scanned_bytes()
    taken |= {
        "release": bench.write(
            writes.release(_KEY, me=_OLD, successor=_NEW, base=bench.counter, nonce="n")
        ),
        "refused": bench.refused(),
        "retake": bench.take(_NEW),
        "end": bench.write(
            writes.end(_KEY, me=_NEW, base=bench.counter, nonce="n", children=(_KEY, _PARENT))
        ),
    }
    taken |= _worker_writes()
    return Units(taken, lease_bytes, _worker_bytes(), len(wire.KEY + _KEY + wire.OWNER + _OLD))


def lease_item() -> dict[str, Any]:
    """Return a lease row in full work, as the table has it."""
    bench = _Bench()
    bench.write(writes.create(_child()))
    bench.take(_OLD)
    bench.renew(_OLD)
    return bench.items()[0]


def _child() -> LeaseRow:
    return LeaseRow(
        key=_KEY,
        counter=round(WORLD_BEGAN_AT * 1000),
        checkpoint=Sentinel.TRIM_HORIZON,
        parents=(_PARENT,),
        hash_range=(2**127, 2**128 - 1),
    )


def _worker() -> WorkerRow:
    return WorkerRow(key=_OLD, beat=1, duration=10.0)


def _worker_writes() -> dict[str, float]:
    bench = _Bench()
    return {
        "join": bench.write(writes.create_worker(_worker())),
        "beat": bench.write(writes.beat(_OLD, seen=1, state=WorkerState.RUNNING)),
        "leave": bench.write(writes.remove_worker(_OLD, seen=2)),
    }


def _worker_bytes() -> int:
    bench = _Bench()
    bench.write(writes.create_worker(_worker()))
    return bench.scanned_bytes()


class _Bench:
    """A lease table of the engine with nothing in it."""

    def __init__(self) -> None:
        settings = DynamoSettings(create_seconds=0.0, delete_seconds=0.0)
        self._model = Dynamo(lambda: WORLD_BEGAN_AT, random.Random(0), settings)
        self._model.call("CreateTable", create_request(_TABLE, TableConfig()))

    @property
    def counter(self) -> int:
        """The counter that the lease row has now."""
        return self._row().counter

    def write(self, write: RowWrite) -> float:
        """Apply a write and return its units."""
        request = encode_write(write, table_name=_TABLE, wall=WORLD_BEGAN_AT)
        answer = self._model.call(request.operation, request.parameters)
        return float(answer["ConsumedCapacity"]["CapacityUnits"])

    def take(self, me: str) -> float:
        """Take the lease as it stands."""
        row = self._row()
        return self.write(
            writes.take(row, me=me, nonce=f"{me}#1", duration=10.0, counter=row.counter + 1)
        )

    def renew(self, me: str) -> float:
        """Renew with a checkpoint of full length."""
        place = Position("4" + 55 * "9", 0)
        return self.write(
            writes.renew(_KEY, me=me, base=self.counter, nonce="n", duration=10.0, checkpoint=place)
        )

    def refused(self) -> float:
        """Return the units of a take whose condition fails: those of the row, as if written."""
        return float(max(1, -(-self.scanned_bytes() // 1024)))

    def scanned_bytes(self) -> int:
        """Return the size of all rows, by what the engine's saved table says of them."""
        return sum(_item_bytes(item) for item in self.items())

    def _row(self) -> LeaseRow:
        (row,) = (decode_row(item) for item in self.items())
        assert isinstance(row, LeaseRow)
        return row

    def items(self) -> list[dict[str, Any]]:
        """Return everything that is in the table."""
        request = scan_request(_TABLE, consistent=True, start=None)
        return list(self._model.call("Scan", request)["Items"])


def _item_bytes(item: dict[str, Any]) -> int:
    return item_size({name: clean(value) for name, value in item.items()})
