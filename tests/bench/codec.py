"""What does packing and unpacking user records cost? Next to aws-kinesis-agg, in turns.

Both sides run in this process, on one thread, and their CPU is counted: they wait for nothing.

What each side is asked for, as its users ask:

- aggregate: every user record is added with its key, then the bytes of the record are asked for.
- deaggregate: the record comes as boto3 gives it (bytes for us in a `Record`, a dict for them), and
  in the end the user has the bytes and the key of every user record. Their interface, made for a
  Lambda function, puts the data of each into base64 and has no other way, so whoever wants bytes
  has to undo that; what it costs without undoing is told beside it, and promised nothing.

Their generator is run to its end, and both sides check the digest.
"""

from __future__ import annotations

import base64
import importlib
import random
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from kcl_py import Record
from kcl_py.aggregation import Aggregate, deaggregate
from tests.bench.figures import Figure, Report, Target
from tests.bench.session import Session

UNIT: Final = "CPU us per user record"
OURS: Final = "kcl_py"
THEIRS: Final = "aws-kinesis-agg"
THEIRS_LEFT: Final = "aws-kinesis-agg, its base64 left as it is"
SEQUENCE_NUMBER: Final = "49671234567890123456789012345678901234567890123456789012"
SIZE_BYTES_MAX: Final = 10**6
TURNS: Final = {OURS: 40, THEIRS: 15, THEIRS_LEFT: 15}
"""How often the same is done for one sample."""


@dataclass(frozen=True, slots=True)
class Shape:
    """User records of one aggregated record."""

    count: int
    data_bytes: int
    keys: int

    @property
    def name(self) -> str:
        """As a reader of tables knows it."""
        keys = "one key" if self.keys == 1 else f"{self.keys} keys"
        size = f"{self.data_bytes} B" if self.data_bytes < 1000 else f"{self.data_bytes // 1000} KB"
        return f"{self.count} user records of {size}, {keys}"

    def users(self) -> list[tuple[bytes, str]]:
        """Return data and key of each, the same every time."""
        rng = random.Random(self.name)
        keys = [f"{rng.getrandbits(128):032x}" for _ in range(self.keys)]
        return [(rng.randbytes(self.data_bytes), keys[it % self.keys]) for it in range(self.count)]


SHAPES: Final = (Shape(400, 100, 400), Shape(400, 100, 1), Shape(40, 1000, 40))
PROMISED: Final = {("deaggregate", SHAPES[0]): 3.5, ("deaggregate", SHAPES[1]): 3.5}
"""How many times cheaper we are at least."""

Work = Callable[[], None]


def run(session: Session) -> Report:
    """Measure both ways at every shape."""
    report = Report(name="codec", title="Aggregating and de-aggregating")
    peer = _peer()
    if peer is None:
        report.skipped.append(f"{THEIRS}: it is not installed")
    rounds = 5 if session.quick else 25
    for shape in SHAPES:
        session.say(f"codec {shape.name}")
        for way, sides in _works(shape, peer).items():
            found = _take_turns(sides, shape, rounds)
            figures = {
                side: Figure(what=f"{way}, {shape.name}: {side}", unit=UNIT, samples=samples)
                for side, samples in found.items()
            }
            report.figures += figures.values()
            limit = PROMISED.get((way, shape))
            if limit is not None and THEIRS in figures:
                report.targets.append(
                    Target(
                        what=f"{way}, {shape.name}: cheaper than {THEIRS}",
                        samples=figures[THEIRS].over(figures[OURS]),
                        limit=limit,
                        sense="at least",
                    )
                )
    return report


def _take_turns(sides: dict[str, Work], shape: Shape, rounds: int) -> dict[str, tuple[float, ...]]:
    """Return the CPU per user record, us, by side; the first round warms up and is left out."""
    found: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds + 1):
        for side, work in sides.items():
            begun = time.process_time()
            for _ in range(TURNS[side]):
                work()
            spent = time.process_time() - begun
            if number:
                found[side].append(spent / TURNS[side] / shape.count * 1e6)
    return {side: tuple(samples) for side, samples in found.items()}


def _works(shape: Shape, peer: tuple[Any, Any] | None) -> dict[str, dict[str, Work]]:
    """Return what is done, by way and side. Both sides must find the same."""
    users, count = shape.users(), shape.count

    def pack() -> bytes:
        aggregate = Aggregate(size_bytes_max=SIZE_BYTES_MAX)
        for data, key in users:
            assert aggregate.add(data, key)
        return aggregate.encode()

    blob = pack()
    record = Record(sequence_number=SEQUENCE_NUMBER, data=blob, partition_key="a")

    def unpack() -> None:
        assert sum(1 for it in deaggregate(record).records if it.data and it.partition_key) == count

    works: dict[str, dict[str, Work]] = {
        "aggregate": {OURS: lambda: _drop(pack())},
        "deaggregate": {OURS: unpack},
    }
    if peer is None:
        return works
    works["aggregate"][THEIRS] = lambda: _drop(_pack_theirs(users, peer[0]))
    assert _pack_theirs(users, peer[0]) == blob
    given = {
        "SequenceNumber": SEQUENCE_NUMBER,
        "PartitionKey": "a",
        "ApproximateArrivalTimestamp": 0,
        "Data": blob,
    }

    def unpack_theirs(data_of: Callable[[bytes], bytes]) -> None:
        records = peer[1].iter_deaggregate_records([given], data_format="Boto3")
        found = (each["kinesis"] for each in records)
        assert sum(1 for it in found if data_of(it["data"]) and it["partitionKey"]) == count

    works["deaggregate"][THEIRS] = lambda: unpack_theirs(base64.b64decode)
    works["deaggregate"][THEIRS_LEFT] = lambda: unpack_theirs(bytes)
    return works


def _pack_theirs(users: list[tuple[bytes, str]], aggregator: Any) -> bytes:
    aggregate = aggregator.AggRecord(SIZE_BYTES_MAX)
    for data, key in users:
        assert aggregate.add_user_record(key, data)
    content: bytes = aggregate.get_contents()[2]
    return content


def _drop(blob: bytes) -> None:
    assert blob


def _peer() -> tuple[Any, Any] | None:
    """Import the other package, which puts itself in front of everything, and undo that."""
    path = list(sys.path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            aggregator = importlib.import_module("aws_kinesis_agg.aggregator")
            deaggregator = importlib.import_module("aws_kinesis_agg.deaggregator")
    except ImportError:
        return None
    finally:
        sys.path[:] = path
    return aggregator, deaggregator
