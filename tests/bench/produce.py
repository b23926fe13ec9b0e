"""What does putting cost, for every record, and what comes through a shard? Next to boto3."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kcl_py.local.kinesis.limits import WRITE_BYTES_PER_SECOND, WRITE_RECORDS_PER_SECOND
from kcl_py.local.process import EngineProcess
from kcl_py.producer.core.packing import Pack, finish
from kcl_py.producer.core.units import Item
from tests.bench.children import Stub, measured
from tests.bench.figures import Figure, Report, Target, short, spread
from tests.bench.server import STREAM
from tests.bench.session import Session
from tests.bench.writers import pairs_of

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
    "many": "the producer, `put_many`",
    "ordered": "the producer, in order for each key",
    "aggregated": "the producer, aggregating",
    "many_aggregated": "the producer, aggregating, `put_many`",
    "boto3": "a loop of put_records, 500 each",
}

CHEAPER_MIN: Final = 2.5
"""Promised next to boto3, over TLS, at every size."""

THROUGH_MIN: Final = 10.0
"""Promised for user records a second, next to boto3: where a shard's limits leave room for that."""

THROUGH_SIZES: Final = (50, 75, 100)
"""Bytes. At the largest, 1 MiB a second does not allow ten times 1,000 records; the promise is
judged at the others, see `allowed`."""

THROUGH_SECONDS: Final = 6

PARTS: Final = {
    "make": "look at data and key, make the object that `put` returns",
    "put": "room in the buffer, its shard, its pack",
    "page": "the same by the page, as `put_many` does it",
    "write": "write packs in the format of the KPL, but for the digest",
    "digest": "the digest of packs, MD5",
    "spell": "base64, JSON, SHA-256 for the signature",
    "outcome": "tell each record its outcome",
}
PARTS_SIZE: Final = 100

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
    through = _through_all(session)
    parts = _parts(session)
    filling = [_filling(session, size, name) for size in SIZES[:2] for name in FILLERS]
    report.figures += [*figures.values(), *through.values(), *parts, *filling]
    tables = [matrix(figures), ratios(figures), shard_table(through), parts_table(parts)]
    report.table = "\n\n".join([*tables, rates(filling)])
    report.targets += [*_targets(figures), *_through_targets(through)]
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


def ratios(figures: Mapping[Key, Figure]) -> str:
    """Return a table of how many times cheaper than boto3 each contender is, over TLS."""
    head = " | ".join(size.name for size in SIZES)
    lines = ["Times cheaper than boto3, TLS:", "", f"| | {head} |", "|---" * (len(SIZES) + 1) + "|"]
    for name, title in NAMES.items():
        cells = []
        for size in SIZES:
            ours, theirs = (figures.get((size.name, "TLS", each)) for each in (name, "boto3"))
            cells.append("-" if ours is None or theirs is None else spread(theirs.over(ours)))
        if name != "boto3":
            lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def shard_table(figures: Mapping[tuple[int, str], Figure]) -> str:
    """Return a table of user records a second through one shard, and what its limits allow."""
    lines = [
        "User records a second through one shard, with the service's limits:",
        "",
        "| | " + " | ".join(f"{size} B" for size in THROUGH_SIZES) + " |",
        "|---" * (len(THROUGH_SIZES) + 1) + "|",
    ]
    for name in THROUGH_NAMES:
        cells = [spread(figures[size, name].samples) for size in THROUGH_SIZES]
        lines.append(f"| {NAMES[name]} | {' | '.join(cells)} |")
    cells = [
        spread(figures[size, "aggregated"].over(figures[size, "boto3"])) for size in THROUGH_SIZES
    ]
    lines.append(f"| times | {' | '.join(cells)} |")
    for title, keys in (("every record", None), ("all records", 1)):
        what = "a key of its own" if keys is None else "one key"
        cells = [short(allowed(size, keys)) for size in THROUGH_SIZES]
        lines.append(f"| what 1 MiB a second allows, {title} with {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def allowed(size: int, keys: int | None) -> float:
    """Return how many records of this size a shard takes in a second, aggregated, by its bytes.

    Args:
        size: Bytes of data.
        keys: So many different ones; None: each record its own, of 15 characters.
    """
    pack = Pack("", 0.0)
    for number, (data, own) in enumerate(pairs_of(size)):
        key = own if keys is None else f"customer-{number % keys:06d}"
        if not pack.add(Item(data, key, None, len(data) + len(key))):
            break
    return len(pack.items) * WRITE_BYTES_PER_SECOND / finish(pack, 0).size


def parts_table(figures: list[Figure]) -> str:
    """Return a table of where the CPU of an aggregated record goes."""
    lines = [f"| aggregating {PARTS_SIZE} B, each part alone | CPU us per record |", "|---|---|"]
    lines += [f"| {it.what} | {spread(it.samples)} |" for it in figures]
    return "\n".join(lines)


def rates(figures: list[Figure]) -> str:
    """Return a table of how fast the engine was filled."""
    lines = ["| records a second, both processes on this machine | |", "|---|---|"]
    lines += [f"| {it.what} | {short(it.median)} |" for it in figures]
    return "\n".join(lines)


def _cost(name: str, size: Size, environment: Mapping[str, str]) -> float:
    """Return the CPU seconds of a million records."""
    times = AGGREGATED_TIMES if "aggregated" in name else 1
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
            _make_stream(engine, SHARDS)
            found = _measured(name, size, size.records, engine.environment)
            samples.append(float(found["records"]) / float(found["wall"]))
    what = f"{size.name}: {NAMES[name]}, into the embedded engine"
    return Figure(what=what, unit="records/s", samples=tuple(samples))


def _make_stream(engine: EngineProcess, shards: int) -> None:
    from kcl_py.local.session import make_session
    from kcl_py.streams import ensure_stream

    ensure_stream(STREAM, shards=shards, session=make_session(engine.endpoint_url))


THROUGH_NAMES: Final = ("boto3", "aggregated")


def _through_all(session: Session) -> dict[tuple[int, str], Figure]:
    """Measure user records a second through one shard whose limits hold, by bytes and contender."""
    found: dict[tuple[int, str], list[float]] = defaultdict(list)
    for number in range(session.rounds(3)):
        for size in THROUGH_SIZES:
            for name in THROUGH_NAMES:
                session.say(f"through a shard, round {number + 1}: {size} B, {NAMES[name]}")
                found[size, name].append(_through(name, size))
    return {
        (size, name): Figure(
            what=f"{size} B: {NAMES[name]}, through one shard",
            unit="records/s",
            samples=tuple(samples),
        )
        for (size, name), samples in found.items()
    }


def _through(name: str, size: int) -> float:
    command = [sys.executable, "-m", "tests.bench.through", name]
    command += ["--record-bytes", str(size), "--seconds", str(THROUGH_SECONDS)]
    with EngineProcess() as engine:
        _make_stream(engine, 1)
        found = measured(command, engine.environment)
    return float(found["records"]) / float(found["wall"])


def _through_targets(figures: Mapping[tuple[int, str], Figure]) -> list[Target]:
    """Judge sizes at which the bytes of a shard allow what was promised."""
    least = THROUGH_MIN * WRITE_RECORDS_PER_SECOND
    return [
        Target(
            what=f"{size} B: user records a second through one shard, {NAMES['aggregated']}, next "
            f"to {NAMES['boto3']}",
            samples=figures[size, "aggregated"].over(figures[size, "boto3"]),
            limit=THROUGH_MIN,
            sense="at least",
        )
        for size in THROUGH_SIZES
        if allowed(size, None) >= least
    ]


def _parts(session: Session) -> list[Figure]:
    """Measure where the CPU of an aggregated record goes."""
    command = [sys.executable, "-m", "tests.bench.put_parts", "--records", "100000"]
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(session.rounds(3)):
        session.say(f"parts of an aggregated record, round {number + 1}")
        told = measured([*command, "--record-bytes", str(PARTS_SIZE)], os.environ)
        for name in PARTS:
            found[name].append(told[name] / told["records"] * 1e6)
    return [
        Figure(what=text, unit="CPU us per record", samples=tuple(found[name]))
        for name, text in PARTS.items()
    ]


def _targets(figures: Mapping[Key, Figure]) -> list[Target]:
    promised = [(size.name, "producer", CHEAPER_MIN) for size in SIZES]
    targets = []
    for size, name, limit in promised:
        ours, theirs = figures.get((size, "TLS", name)), figures.get((size, "TLS", "boto3"))
        if ours is None or theirs is None:
            continue
        title = f"{size}, TLS: {NAMES[name]}, cheaper than {NAMES['boto3']}"
        targets.append(Target(what=title, samples=theirs.over(ours), limit=limit, sense="at least"))
    return targets
