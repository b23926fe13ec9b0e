"""How fast is it, and next to whom? One command.

    python -m tests.bench                      all of it, about half an hour
    python -m tests.bench read idle --quick    a first look at two of them
    python -m tests.bench --check              exit code 1 if a promise is missed

Contenders run in turns within one run, each in a process of its own; figures are medians with
their spread, and promises are about ratios. Alone on the machine, or the figures mean little.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import time
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tests.bench.children import make_certificate
from tests.bench.figures import Report, markdown
from tests.bench.page import as_json, update
from tests.bench.session import PEERS, Session

BENCHES: Final = MappingProxyType(
    {
        "read": "tests.bench.read",
        "produce": "tests.bench.produce",
        "guard": "tests.bench.guard",
        "profile": "tests.bench.profile",
        "idle": "tests.bench.idle",
        "latency": "tests.bench.latency",
        "start": "tests.bench.start",
        "codec": "tests.bench.codec",
        "tracing": "tests.bench.tracing",
        "cores": "tests.bench.cores",
        "leases": "tests.bench.leases",
        "memory": "tests.bench.memory",
    }
)
"""In the order in which they run."""


def main(arguments: list[str] | None = None) -> int:
    """Run, and say what was found."""
    options = _options(arguments)
    begun = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - begun:7.1f} s  {text}\n")

    with tempfile.TemporaryDirectory(prefix="kcl-bench-") as folder:
        session = Session(
            quick=options.quick,
            folder=Path(folder),
            tls=make_certificate(Path(folder)),
            say=say,
            peers=options.peers.resolve(),
        )
        reports = []
        for name in options.names or BENCHES:
            report: Report = importlib.import_module(BENCHES[name]).run(session)
            reports.append(report)
            if not options.json:
                sys.stdout.write(markdown(report) + "\n")
                sys.stdout.flush()
    if options.page is not None:
        update(options.page, reports)
    if options.json:
        sys.stdout.write(json.dumps(as_json(reports), indent=1) + "\n")
    missed = [target for report in reports for target in report.targets if not target.is_met]
    for target in missed:
        sys.stderr.write(
            f"missed: {target.what}: {target.median:.3g}, {target.sense} {target.limit:g}\n"
        )
    return 1 if options.check and missed else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}")
    parser.add_argument("--quick", action="store_true", help="few rounds, short ones")
    parser.add_argument("--json", action="store_true", help="print figures and samples as JSON")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a promise is missed")
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="put the tables, and the picture, into this page"
    )
    parser.add_argument(
        "--peers",
        type=Path,
        default=PEERS,
        metavar="DIR",
        help="where peers are installed, from PyPI",
    )
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(BENCHES))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
