"""What does putting cost, for every record? The producer, next to a loop of boto3."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kcl_py.local.process import EngineProcess
from tests.bench.children import Stub, measured
from tests.bench.figures import Figure, Report, Target, short
from tests.bench.server import STREAM
from tests.bench.session import Session

UNIT: Final = "CPU s per million records"
SHARDS: Final = 4


@dataclass(frozen=True, slots=True)
class Size:
    """Records of one size.

    Attributes:
        records: How many are put, so that each contender takes a second or so.
    """

    name: str
    record_bytes: int
    records: int


SIZES: Final = (
    Size("100 B", 100, 150_000),
    Size("1 KB", 1_000, 75_000),
    Size("5 KB", 5_000, 25_000),
)
AGGREGATED_TIMES: Final = 4
"""So many times as many, for they are so much cheaper."""

NAMES: Final = {
    "producer": "the producer",
    "ordered": "the producer, in order for each key",
    "aggregated": "the producer, aggregating",
    "boto3": "a loop of put_records, 500 each",
}

CHEAPER_MIN: Final = 2.5
"""Promised next to boto3, over TLS, at every size."""

AGGREGATED_MIN: Final = 10.0
"""Promised next to boto3, over TLS, for records of 100 B."""

Key = tuple[str, str, str]
"""Size, wire and contender."""


def run(session: Session) -> Report:
    """Measure every contender at every size, in turns; then how fast the engine can be filled."""
    report = Report(name="produce", title="Putting")
    found: dict[Key, list[float]] = defaultdict(list)
    wires: list[tuple[str, Path | None]] = [("plain", None)]
    if session.tls is not None:
        wires.insert(0, ("TLS", session.tls))
    else:
        report.skipped.append("putting over TLS: openssl, which makes the certificate, is not here")
    for wire, tls in wires:
        with Stub(tls, shards=SHARDS) as stub:
            for number in range(session.rounds(3)):
                for size in SIZES:
                    for name in NAMES:
                        key = (size.name, wire, name)
                        session.say(f"produce, round {number + 1}: {what(key)}")
                        found[key].append(_cost(name, size, stub.environment))
    figures = {
        key: Figure(what=what(key), unit=UNIT, samples=tuple(samples))
        for key, samples in found.items()
    }
    filling = [_filling(session, size, name) for size in SIZES[:2] for name in FILLERS]
    report.figures += [*figures.values(), *filling]
    report.table = matrix(figures) + "\n\n" + rates(filling)
    report.targets += _targets(figures)
    return report


def what(key: Key) -> str:
    """Return what the figure of this key is called."""
    size, wire, name = key
    return f"{size}, {wire}: {NAMES[name]}"


def matrix(figures: Mapping[Key, Figure]) -> str:
    """Return a table of contenders by sizes: medians, over TLS and plain HTTP."""
    head = " | ".join(size.name for size in SIZES)
    lines = [f"{UNIT}, TLS / plain HTTP:", "", f"| | {head} |", "|---" * (len(SIZES) + 1) + "|"]
    for name, title in NAMES.items():
        cells = []
        for size in SIZES:
            each = [figures.get((size.name, wire, name)) for wire in ("TLS", "plain")]
            cells.append(" / ".join("-" if it is None else short(it.median) for it in each))
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def rates(figures: list[Figure]) -> str:
    """Return a table of how fast the engine was filled."""
    lines = ["| records a second, both processes on this machine | |", "|---|---|"]
    lines += [f"| {it.what} | {short(it.median)} |" for it in figures]
    return "\n".join(lines)


def _cost(name: str, size: Size, environment: Mapping[str, str]) -> float:
    """Return the CPU seconds of a million records."""
    times = AGGREGATED_TIMES if name == "aggregated" else 1
    found = _measured(name, size, size.records * times, environment)
    return float(found["cpu"]) / float(found["records"]) * 1e6


def _measured(
    name: str, size: Size, records: int, environment: Mapping[str, str]
) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.writers", name, "--records", str(records)]
    return measured([*command, "--record-bytes", str(size.record_bytes)], environment)


FILLERS: Final = ("producer", "aggregated")


def _filling(session: Session, size: Size, name: str) -> Figure:
    """Measure records a second into the embedded engine, which keeps them."""
    samples = []
    for number in range(session.rounds(3)):
        session.say(f"produce into the engine, round {number + 1}: {size.name}, {NAMES[name]}")
        with EngineProcess("--no-limits") as engine:
            _make_stream(engine)
            found = _measured(name, size, size.records, engine.environment)
            samples.append(float(found["records"]) / float(found["wall"]))
    what = f"{size.name}: {NAMES[name]}, into the embedded engine"
    return Figure(what=what, unit="records/s", samples=tuple(samples))


def _make_stream(engine: EngineProcess) -> None:
    from kcl_py.local.session import make_session
    from kcl_py.streams import ensure_stream

    ensure_stream(STREAM, shards=SHARDS, session=make_session(engine.endpoint_url))


def _targets(figures: Mapping[Key, Figure]) -> list[Target]:
    promised = [(size.name, "producer", CHEAPER_MIN) for size in SIZES]
    promised.append((SIZES[0].name, "aggregated", AGGREGATED_MIN))
    targets = []
    for size, name, limit in promised:
        ours, theirs = figures.get((size, "TLS", name)), figures.get((size, "TLS", "boto3"))
        if ours is None or theirs is None:
            continue
        title = f"{size}, TLS: {NAMES[name]}, cheaper than {NAMES['boto3']}"
        targets.append(Target(what=title, samples=theirs.over(ours), limit=limit, sense="at least"))
    return targets
