"""What does keeping leases cost? CPU of each renewal, and units of DynamoDB for each shard.

CPU: one thread of a process of its own renews one lease again and again, each renewal on condition
of the one before, as a worker writes them. boto3 sends the very same requests with a client of its
own settings; it gives the item as it came, where ours is a decoded row.

Units: of fleets that have settled, with records on every shard each second and so a checkpoint with
every renewal, as `python -m tests.process.units` measures them.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from kcl_py.local.environment import clean_environment
from tests.bench.children import Stub, measured
from tests.bench.figures import Figure, Report
from tests.bench.session import Session

UNIT: Final = "CPU s per thousand renewals"
NOWHERE: Final = "http://127.0.0.1:9"
"""Whoever needs a server there starts one of its own."""

FLEETS: Final = ((1, 16), (4, 16))
"""Workers and shards whose units are counted."""


def run(session: Session) -> Report:
    """Measure both ways to renew, in turns, and fleets one after the other."""
    report = Report(name="leases", title="Leases")
    wires: list[tuple[str, Path | None]] = [("plain", None)]
    if session.tls is not None:
        wires.insert(0, ("TLS", session.tls))
    for wire, tls in wires:
        found: dict[str, list[float]] = defaultdict(list)
        with Stub(tls, shards=1) as stub:
            for number in range(session.rounds()):
                for name in RENEWERS:
                    session.say(f"leases {wire} round {number + 1}: {name}")
                    found[name].append(_cost(name, stub, 1_000 if session.quick else 3_000))
        report.figures += [
            Figure(what=f"a renewal, {wire}: {NAMES[name]}", unit=UNIT, samples=tuple(samples))
            for name, samples in found.items()
        ]
    for workers, shards in FLEETS[:1] if session.quick else FLEETS:
        session.say(f"leases units of {workers} workers, {shards} shards")
        report.figures += _units(workers, shards, 10.0 if session.quick else 30.0)
    return report


def _cost(name: str, stub: Stub, count: int) -> float:
    """Return the CPU seconds of a thousand renewals."""
    command = [sys.executable, "-m", "tests.bench.leases", name, "--count", str(count)]
    found = measured(command, stub.environment)
    return float(found["cpu"]) / float(found["records"]) * 1_000


def _units(workers: int, shards: int, seconds: float) -> list[Figure]:
    command = [sys.executable, "-m", "tests.process.units"]
    for option, value in (("workers", workers), ("shards", shards), ("seconds", seconds)):
        command += [f"--{option}", str(value)]
    found = measured(command, clean_environment(os.environ, NOWHERE))
    return [
        Figure(
            what=f"{workers} {'worker' if workers == 1 else 'workers'}, {shards} shards: {kind}",
            unit="units per shard and hour",
            samples=(float(found[f"{key}_units_per_shard_hour"]),),
        )
        for key, kind in (("read", "read units"), ("write", "write units"))
    ]


# -------------------------------------------------------------------------- the process that renews

APP: Final = "renewals"
WARM_PART: Final = 10
"""One renewal in so many comes before measuring begins."""


def renew_as_worker(count: int) -> Callable[[int], None]:
    """The lease table of a worker, with its clients."""
    from kcl_py.aws.lease_table import LeaseTable
    from kcl_py.core.events import Applied

    clients = _clients()
    table = LeaseTable(
        writes=clients.lease_writes,
        reads=clients.table_reads,
        name=APP,
        update_item=clients.update_item,
    )
    writes = list(_writes(count))

    def renew(number: int) -> None:
        answer = table.write(writes[number])
        assert isinstance(answer, Applied), answer

    return renew


def renew_with_boto3(count: int) -> Callable[[int], None]:
    """The same requests, spelled beforehand, with boto3 as it is."""
    import boto3

    from kcl_py.aws.lease_codec import encode_write
    from kcl_py.local.environment import REGION

    _clients()
    client: Any = boto3.client("dynamodb", region_name=REGION)
    requests = [encode_write(write, table_name=APP, wall=0.0) for write in _writes(count)]

    def renew(number: int) -> None:
        assert client.update_item(**requests[number].parameters)["Attributes"]

    return renew


RENEWERS: Final = MappingProxyType[str, Callable[[int], Callable[[int], None]]](
    {"worker": renew_as_worker, "boto3": renew_with_boto3}
)
NAMES: Final = {
    "worker": "the lease table of a worker, from the write to the decoded row",
    "boto3": "the same request by boto3 as it is",
}


def _clients() -> Any:
    """Return the clients of a worker, and see to it that there is a lease table."""
    from kcl_py.aws.clients import make_clients
    from kcl_py.aws.names import StreamAddress
    from kcl_py.aws.retry import Patience
    from kcl_py.aws.table_setup import open_table
    from kcl_py.config import WorkerConfig
    from kcl_py.local.environment import REGION
    from tests.bench.server import STREAM

    config = WorkerConfig(region=REGION)
    clients = make_clients(config, StreamAddress(STREAM))
    patience = Patience(sleep=time.sleep, is_stopping=lambda: False, rng=random.Random(1))
    open_table(
        clients.table_control,
        config.table,
        APP,
        patience=patience,
        on_progress=lambda _: None,
    )
    return clients


def _writes(count: int) -> Any:
    """Yield the creation of a lease and its renewals, each with a checkpoint as of a busy shard."""
    from kcl_py.core.leases import writes
    from kcl_py.core.leases.rows import LeaseRow
    from kcl_py.records import Position

    key, me = f"shardId-{random.SystemRandom().randrange(10**12):012d}", "worker-1-0123456789"
    start = Position("49671234567890123456789012345678901234567890123456789012")
    yield writes.create(
        LeaseRow(
            key=key,
            counter=0,
            checkpoint=start,
            owner=me,
            nonce="0" * 16,
            duration=10.0,
            hash_range=(0, 2**128 - 1),
        )
    )
    for number in range(count):
        yield writes.renew(
            key,
            me=me,
            base=number,
            nonce=f"{number:016x}",
            duration=10.0,
            checkpoint=Position(str(int(start.sequence_number) + number)),
        )


def main() -> None:
    """Renew, and say what it took."""
    from tests.bench.meter import Meter

    parser = argparse.ArgumentParser(prog="python -m tests.bench.leases")
    parser.add_argument("name", choices=sorted(RENEWERS))
    parser.add_argument("--count", type=int, required=True)
    options = parser.parse_args()
    renew = RENEWERS[options.name](options.count)
    meter = Meter(warm=options.count // WARM_PART, total=options.count)
    renew(0)
    for number in range(options.count):
        renew(number + 1)
        meter.add(1)
    meter.tell()


if __name__ == "__main__":
    main()
