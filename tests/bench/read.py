"""What does reading cost, for every record? The whole worker, next to everybody else."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

from tests.bench.children import ChildError, Stub, measured, peer_command, reader
from tests.bench.daemon import feed, lines
from tests.bench.figures import Figure, Report, Target, short
from tests.bench.pages import Pages
from tests.bench.peers import PEER_NAMES, pythons
from tests.bench.server import STREAM
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

LOOP_PAGES: Final = {
    "boto3": 12,
    "hook": 100,
    "fetch": 100,
    "decode": 60,
    "async-kinesis": 12,
    "kclpy": 40,
    "orjson": 60,
}
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
    "fetch": "the worker's reads alone",
    "hook": "boto3 with our decoder behind its hook",
    "boto3": "boto3 as it is",
    "async-kinesis": "async-kinesis",
    "decode": "our decoder on a body in memory",
    "orjson": "orjson and pybase64 on a body in memory",
    "kclpy": "amazon_kclpy's Python half, without its JVM",
}

WIRELESS: Final = frozenset({"decode", "orjson", "kclpy"})
"""They read from no server: measured once, in turns with those on the first wire."""

Key = tuple[str, str, str]
"""Size, wire and contender; the wire of the wireless is empty."""

Measure = Callable[[], float]


def run(session: Session) -> Report:
    """Measure every contender at every size, in turns."""
    report = Report(name="read", title="Reading")
    peers = pythons(session, report)
    found: dict[Key, list[float]] = defaultdict(list)
    for number, (wire, tls) in enumerate(_wires(session, report)):
        for size in SIZES:
            with Stub(
                tls,
                shards=SHARDS,
                pages=size.pages,
                records=size.records,
                record_bytes=size.record_bytes,
            ) as stub:
                contenders = [
                    ((size.name, "" if name in WIRELESS else wire, name), measure)
                    for name, measure in chain(_ours(size, stub), _others(size, stub, peers))
                    if number == 0 or name not in WIRELESS
                ]
                take_turns(session, report, contenders, found)
    figures = {
        key: Figure(what=what(key), unit=UNIT, samples=tuple(samples))
        for key, samples in found.items()
    }
    report.figures += figures.values()
    report.table = matrix(figures)
    for promise in PROMISES:
        target = _target(promise, figures)
        if target is not None:
            report.targets.append(target)
        else:
            report.skipped.append(f"whether {_promised(promise)}: not everybody was measured")
    return report


def take_turns(
    session: Session,
    report: Report,
    contenders: list[tuple[Key, Measure]],
    found: dict[Key, list[float]],
) -> None:
    """Measure all, round by round; a peer that fails is left out, and does not stop the others."""
    left = dict(contenders)
    for number in range(session.rounds(3)):
        for key, measure in list(left.items()):
            session.say(f"read, round {number + 1}: {what(key)}")
            try:
                found[key].append(measure())
            except (ChildError, subprocess.TimeoutExpired) as error:
                if key[2] not in PEER_NAMES:
                    raise
                report.skipped.append(f"{what(key)}: {str(error).splitlines()[-1]}")
                del left[key], found[key]


def matrix(figures: Mapping[Key, Figure]) -> str:
    """Return a table of contenders by sizes: medians, over TLS and plain HTTP."""
    head = " | ".join(size.name for size in SIZES)
    lines = [f"{UNIT}, TLS / plain HTTP:", "", f"| | {head} |", "|---" * (len(SIZES) + 1) + "|"]
    for name in NAMES:
        wires = ("",) if name in WIRELESS else ("TLS", "plain")
        cells = []
        for size in SIZES:
            found = [figures.get((size.name, wire, name)) for wire in wires]
            cells.append(" / ".join("-" if it is None else short(it.median) for it in found))
        lines.append(f"| {NAMES[name]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def what(key: Key) -> str:
    """Return what the figure of this key is called."""
    size, wire, name = key
    return f"{', '.join(filter(None, (size, wire)))}: {NAMES[name]}"


def _wires(session: Session, report: Report) -> Iterator[tuple[str, Path | None]]:
    if session.tls is not None:
        yield "TLS", session.tls
    else:
        report.skipped.append("reading over TLS: openssl, which makes the certificate, is not here")
    yield "plain", None


def _ours(size: Size, stub: Stub) -> Iterator[tuple[str, Measure]]:
    def cost(name: str, **options: int) -> float:
        return _each(reader(name, stub.environment, **options, **_page(size)))

    yield "worker", partial(cost, "worker", shards=SHARDS, pages=size.pages)
    for name in ("boto3", "hook", "fetch", "decode"):
        yield name, partial(cost, name, **_loop(name, size))


def _others(size: Size, stub: Stub, peers: Mapping[str, Path]) -> Iterator[tuple[str, Measure]]:
    environment = {name: it for name, it in stub.environment.items() if name != "PYTHONPATH"}

    def told(name: str, command: list[str]) -> float:
        if name != "kclpy":
            return _each(measured(command, environment))
        count = LOOP_PAGES[name]
        pages = Pages(records=size.records, record_bytes=size.record_bytes, count=count)
        return _each(feed(command, environment, lines(pages)))

    for name, python in peers.items():
        options = _loop(name, size) | _page(size)
        yield name, partial(told, name, peer_command(python, name, STREAM, **options))


def _page(size: Size) -> dict[str, int]:
    return {"records": size.records, "record_bytes": size.record_bytes}


def _loop(name: str, size: Size) -> dict[str, int]:
    """Return what who reads shard after shard has to read for its number of pages."""
    pages = LOOP_PAGES[name]
    if name in WIRELESS:
        return {"shards": 1, "pages": pages}
    return {"shards": -(-pages // size.pages), "pages": min(pages, size.pages)}


def _each(found: Mapping[str, float]) -> float:
    """Return the CPU seconds for a million records."""
    return found["cpu"] / found["records"] * 1e6


def _target(promise: Promise, figures: dict[tuple[str, str, str], Figure]) -> Target | None:
    wire = "" if promise.than in WIRELESS else promise.wire
    worker = figures.get((promise.size, promise.wire, "worker"))
    other = figures.get((promise.size, wire, promise.than))
    if worker is None or other is None:
        return None
    return Target(
        what=_promised(promise),
        samples=other.over(worker) if promise.is_cheaper else worker.over(other),
        limit=promise.limit,
        sense="at least" if promise.is_cheaper else "at most",
    )


def _promised(promise: Promise) -> str:
    where, than = f"{promise.size}, {promise.wire}", NAMES[promise.than]
    if promise.is_cheaper:
        return f"{where}: cheaper than {than}"
    return f"{where}: the worker next to {than}"
