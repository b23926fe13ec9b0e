"""What does tracing cost a page? A processor that takes its records, with and without.

In this process, on one thread, and CPU is counted. OpenTelemetry's SDK records every span; what an
exporter costs is its own affair.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Final

from opentelemetry.sdk.trace import TracerProvider

from kcl_py import Batch, Record, RecordProcessor, ShardContext
from kcl_py.processor import Fence, Run, RunFacts
from kcl_py.shell.checkpoints import CheckpointDesk, Port
from kcl_py.shell.clock import SYSTEM_CLOCK
from kcl_py.testing import make_record
from kcl_py.tracing import ContextOf, context_in_json, traced
from tests.bench.figures import Figure, Report
from tests.bench.session import Session

UNIT: Final = "CPU us per page"
SIZES: Final = (100, 10_000)
RECORDS_PER_SAMPLE: Final = 20_000


class _Taking(RecordProcessor):
    def process_records(self, batch: Batch) -> None:
        for _ in batch:
            """It is taken."""


def run(session: Session) -> Report:
    """Measure pages of both sizes."""
    report = Report(name="tracing", title="Tracing a page")
    rounds = 3 if session.quick else 15
    for size in SIZES:
        session.say(f"tracing, pages of {size:,} records")
        sides, found = _sides(size), dict[str, list[float]]()
        for number in range(rounds + 1):
            for name, (processor, records) in sides.items():
                spent = _sample(processor, records)
                if number:  # the first round warms up
                    found.setdefault(name, []).append(spent)
        report.figures += [
            Figure(what=f"{size:,} records, {name}", unit=UNIT, samples=tuple(samples))
            for name, samples in found.items()
        ]
    return report


def _sides(size: int) -> dict[str, tuple[RecordProcessor, Sequence[Record]]]:
    """Return a processor and its page, by what is shown."""
    provider = TracerProvider(shutdown_on_exit=False)

    def made(context_of: ContextOf | None = None) -> RecordProcessor:
        processor = traced(_Taking, context_of=context_of, tracer_provider=provider)()
        assert isinstance(processor, RecordProcessor)
        return processor

    none, same, own = _page(size, 0), _page(size, 1), _page(size, size)
    reading = context_in_json("traceparent")
    return {
        "not traced": (_Taking(), own),
        "traced": (made(), own),
        "`context_of`, no record has a context": (made(reading), none),
        "`context_of`, all have one": (made(reading), same),
        "`context_of`, each has its own": (made(reading), own),
    }


def _page(size: int, contexts: int) -> list[Record]:
    """Make records of some 110 bytes of JSON, and 70 for one of so many different contexts."""
    documents: list[dict[str, object]] = [
        {"customer": f"customer-{number:06}", "items": ["a", "b", "c"] * 5, "total": number}
        for number in range(size)
    ]
    if contexts:
        for number, document in enumerate(documents):
            each = number % contexts + 1
            document["traceparent"] = f"00-{each:032x}-{each:016x}-01"
    return [make_record(document) for document in documents]


def _sample(processor: RecordProcessor, records: Sequence[Record]) -> float:
    """Return the CPU of one page, us."""
    turns = max(1, RECORDS_PER_SAMPLE // len(records))
    fence = Fence(math.inf)
    port = Port(CheckpointDesk(lambda _: None), SYSTEM_CLOCK.now, fence, 1, "shard", None)
    shard = ShardContext(Run(facts=_FACTS, fence=fence, port=port))
    begun = time.process_time()
    for _ in range(turns):
        processor.process_records(Batch(shard, records))
    return (time.process_time() - begun) / turns * 1e6


_FACTS: Final = RunFacts(
    app_name="bench",
    stream="bench",
    stream_arn="arn:aws:kinesis:us-east-1:000000000000:stream/bench",
    shard_id="shardId-000000000000",
    lease_key="shardId-000000000000",
    worker_id="bench-worker",
    fencing_token=1,
)
