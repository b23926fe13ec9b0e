"""What does reading cost, for every record? The whole worker, next to everybody else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.children import Stub, reader
from tests.bench.figures import Figure, Report, Target
from tests.bench.session import Session

UNIT: Final = "CPU s per million records"
SHARDS: Final = 16
"""Of the worker, which reads each of them at no more than 2 MB and 5 calls a second."""


@dataclass(frozen=True, slots=True)
class Size:
    """Records of one size.

    Attributes:
        records: In each page.
        pages: Of each of the shards that a worker reads.
    """

    name: str
    record_bytes: int
    records: int
    pages: int


SIZES: Final = (
    Size("100 B", 100, 10_000, 12),
    Size("1 KB", 1_000, 1_000, 24),
    Size("10 KB", 10_000, 100, 24),
)

LOOP_PAGES: Final = {"boto3": 12, "hook": 100, "fetch": 100, "decode": 60}
"""How many pages who reads without pause reads, so that each takes a second or so."""


@dataclass(frozen=True, slots=True)
class Promise:
    """How many times `than` the worker may cost, or has to be cheaper."""

    size: str
    wire: str
    than: str
    limit: float
    is_cheaper: bool = True


PROMISES: Final = (
    Promise("100 B", "TLS", "boto3", 18),
    Promise("1 KB", "TLS", "boto3", 5.5),
    Promise("10 KB", "plain", "boto3", 2.8),
    Promise("1 KB", "TLS", "kclpy", 2),
    Promise("100 B", "TLS", "hook", 1.25, is_cheaper=False),
    Promise("1 KB", "TLS", "hook", 1.12, is_cheaper=False),
)

NAMES: Final = {
    "worker": "the whole worker",
    "fetch": "its reads alone, no core and no shell",
    "hook": "boto3 with our decoder behind its hook",
    "boto3": "boto3 as it is",
    "decode": "our decoder on a body in memory",
    "kclpy": "amazon_kclpy, its Python half alone",
    "async-kinesis": "async-kinesis",
}


def run(session: Session) -> Report:
    """Measure every contender at every size, in turns."""
    report = Report(name="read", title="Reading")
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for wire, tls in _wires(session, report):
        for size in SIZES:
            with Stub(
                tls,
                shards=SHARDS,
                pages=size.pages,
                records=size.records,
                record_bytes=size.record_bytes,
            ) as stub:
                for number in range(session.rounds()):
                    for name, measure in _contenders(size, stub):
                        session.say(f"read {wire} {size.name} round {number + 1}: {name}")
                        found[size.name, wire, name].append(measure())
    figures = {
        key: Figure(what=f"{key[0]}, {key[1]}: {NAMES[key[2]]}", unit=UNIT, samples=tuple(samples))
        for key, samples in found.items()
    }
    report.figures += figures.values()
    report.targets += [target for each in PROMISES if (target := _target(each, figures))]
    return report


def _wires(session: Session, report: Report) -> Iterator[tuple[str, Path | None]]:
    if session.tls is not None:
        yield "TLS", session.tls
    else:
        report.skipped.append("reading over TLS: openssl, which makes the certificate, is not here")
    yield "plain", None


def _contenders(size: Size, stub: Stub) -> Iterator[tuple[str, Callable[[], float]]]:
    pages = {"records": size.records, "record_bytes": size.record_bytes}
    yield "worker", lambda: _cost("worker", stub, shards=SHARDS, pages=size.pages, **pages)
    for name, total in LOOP_PAGES.items():
        shards = -(-total // size.pages)
        each = min(total, size.pages)
        yield (
            name,
            lambda name=name, shards=shards, each=each: _cost(  # type: ignore[misc]
                name, stub, shards=shards, pages=each, **pages
            ),
        )


def _cost(name: str, stub: Stub, **options: int) -> float:
    """Return the CPU seconds for a million records."""
    found = reader(name, stub.environment, **options)
    return float(found["cpu"]) / float(found["records"]) * 1e6


def _target(promise: Promise, figures: dict[tuple[str, str, str], Figure]) -> Target | None:
    worker = figures.get((promise.size, promise.wire, "worker"))
    other = figures.get((promise.size, promise.wire, promise.than))
    if worker is None or other is None:
        return None
    if promise.is_cheaper:
        return Target(
            what=f"{promise.size}, {promise.wire}: cheaper than {NAMES[promise.than]}",
            samples=other.over(worker),
            limit=promise.limit,
            sense="at least",
        )
    return Target(
        what=f"{promise.size}, {promise.wire}: the worker next to {NAMES[promise.than]}",
        samples=worker.over(other),
        limit=promise.limit,
        sense="at most",
    )
