"""Where does the CPU of a worker go, page by page? By part, over TLS."""

from __future__ import annotations

import sys
from collections import defaultdict
from types import MappingProxyType
from typing import Final

from tests.bench.children import Stub, measured
from tests.bench.figures import Figure, Report
from tests.bench.read import SHARDS, SIZES
from tests.bench.session import Session

PARTS: Final = MappingProxyType(
    {
        "network": "send, receive, decrypt",
        "decode": "from JSON and base64 to records",
        "user": "the guard, user code that does nothing, letting go of records",
        "deaggregate": "look for aggregated records",
        "control": "the loop of the core, letting go of pages",
        "core": "decide",
        "write": "lease and worker rows",
        "sign": "sign and spell requests",
        "fetch": "the rest of a read",
        "rest": "threads, what is read of the table, everything else",
        "whole": "all of it",
    }
)
SIZES_PROFILED: Final = ("100 B", "1 KB")


def run(session: Session) -> Report:
    """Profile at two sizes."""
    report = Report(name="profile", title="Where the CPU of a worker goes")
    if session.tls is None:
        report.skipped.append("the profile: openssl, which makes the certificate, is not here")
        return report
    for size in (size for size in SIZES if size.name in SIZES_PROFILED):
        shape = {"pages": size.pages, "records": size.records, "record_bytes": size.record_bytes}
        command = [sys.executable, "-m", "tests.bench.profiled"]
        for name, value in (shape | {"shards": SHARDS}).items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        found: dict[str, list[float]] = defaultdict(list)
        with Stub(session.tls, shards=SHARDS, **shape) as stub:
            for number in range(session.rounds(3)):
                session.say(f"profile {size.name} round {number + 1}")
                told = measured(command, stub.environment)
                pages = told.pop("records") / size.records
                for part, seconds in told.items():
                    found[part].append(seconds / pages * 1e3)
        report.figures += [
            Figure(
                what=f"page of {size.records:,} x {size.name}: {text}",
                unit="ms",
                samples=tuple(found[part]),
            )
            for part, text in PARTS.items()
        ]
    return report
