"""How long is a record under way, from just before its put to `process_records`? Embedded engine.

A producer in a process of its own puts at an even rate, and writes the time into each record; the
worker's process compares it with the same clock. The defaults of the worker, plain HTTP.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import boto3

from kcl_py.local.environment import REGION
from kcl_py.local.process import EngineProcess
from kcl_py.local.session import make_session
from tests.bench.children import ROOT, STOP_SECONDS_MAX, ChildError
from tests.bench.figures import Figure, Report, Target
from tests.bench.server import STREAM
from tests.bench.session import Session
from tests.bench.watched import Watched, all_read, settle

RATES: Final = {1: 20.0, 16: 20.0, 64: 5.0}
"""Records a second into each shard, by number of shards: all are busy, the engine is not."""

WARM_SECONDS: Final = 3.0
QUANTILES: Final = {"p50": (0.50, 0.150), "p99": (0.99, 0.400)}
"""Which part of all records is faster, and the promise in seconds."""

PROMISED: Final = (1, 16)
"""Shards for which the promise is made."""

RECORDS_PART_MIN: Final = 0.8
"""So much of what should have been put must have arrived, or nothing was measured."""


def run(session: Session) -> Report:
    """Measure at every number of shards, in turns."""
    report = Report(name="latency", title="From put to process_records")
    waits: dict[int, list[list[float]]] = defaultdict(list)
    for number in range(1 if session.quick else 3):
        for shards, rate in RATES.items():
            session.say(f"latency {shards} shards, round {number + 1}")
            waits[shards].append(_measure(shards, rate, 6.0 if session.quick else 20.0))
    for shards, rounds in waits.items():
        named = f"{shards} busy {'shard' if shards == 1 else 'shards'}, {RATES[shards]:g} records/s"
        for name, (part, limit) in QUANTILES.items():
            samples = tuple(quantile(each, part) * 1000 for each in rounds)
            what = f"{named} each: put to process_records, {name}"
            report.figures.append(Figure(what=what, unit="ms", samples=samples))
            if shards in PROMISED:
                report.targets.append(
                    Target(
                        what=what, samples=samples, limit=limit * 1000, sense="at most", unit="ms"
                    )
                )
    return report


def quantile(values: Sequence[float], part: float) -> float:
    """Return the smallest value that at least this part of all does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-part * len(ordered) // 1) - 1)]


def _measure(shards: int, rate: float, seconds: float) -> list[float]:
    with EngineProcess() as engine:
        kinesis = make_session(engine.endpoint_url).client("kinesis")
        kinesis.create_stream(StreamName=STREAM, ShardCount=shards)
        with (
            Watched("time", "latency", engine.environment) as worker,
            _producing(shards * rate, engine.environment),
        ):
            settle([worker], all_read(shards), WARM_SECONDS)
            worker.look()
            time.sleep(seconds)
            waits = list(worker.look().waits)
    wanted = shards * rate * seconds
    if len(waits) < wanted * RECORDS_PART_MIN:
        raise ChildError(f"{len(waits)} records of {wanted:g} arrived: the producer is too slow")
    return waits


@contextmanager
def _producing(rate: float, environment: Mapping[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.bench.latency", str(rate)]
    producer = subprocess.Popen(command, cwd=ROOT, env=dict(environment))
    try:
        yield
        if producer.poll() is not None:
            raise ChildError(f"the producer ended with {producer.returncode}")
    finally:
        producer.kill()
        producer.wait(STOP_SECONDS_MAX)


# --------------------------------------------------------------------------- the producer's process

PUT_SECONDS: Final = 0.05
"""How often it puts: all shards at once, a record each or none."""

LIFE_SECONDS_MAX: Final = 300.0


def produce(kinesis: Any, rate: float) -> None:
    """Put so many records a second, spread over all shards at random."""
    from tests.bench.workers import SENT_AT, clock

    begun = clock()
    sent = 0
    while (passed := clock() - begun) < LIFE_SECONDS_MAX:
        due = int(passed * rate) - sent
        while due > 0:
            count = min(due, 500)
            now = SENT_AT.pack(clock())
            records = [{"Data": now, "PartitionKey": str(sent + it)} for it in range(count)]
            kinesis.put_records(StreamName=STREAM, Records=records)
            sent += count
            due -= count
        time.sleep(PUT_SECONDS - (clock() - begun) % PUT_SECONDS)


if __name__ == "__main__":
    produce(boto3.client("kinesis", region_name=REGION), float(sys.argv[1]))
