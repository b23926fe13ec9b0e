"""How long does a take-over take on this machine? A command that anyone can run.

    python -m tests.process.takeover --kind kill --runs 20 --duration 10

Prints one JSON object. `seconds` has the slowest shard of each run: from the fault to the first act
of the next owner (kill, kills, freeze), from the old processor's last return (sigterm, join), or
from the parents' last act (reshard).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.process.campaign import campaign

KINDS = ("kill", "kills", "sigterm", "join", "freeze", "reshard")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.process.takeover")
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--duration", type=float, default=10.0, help="of leases, seconds")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--shards", type=int, default=6)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        campaign(
            Path(directory),
            duration=options.duration,
            workers=options.workers,
            shards=options.shards,
        ) as running,
    ):
        for number in range(options.runs):
            sys.stderr.write(f"run {number + 1} of {options.runs}\n")
            getattr(running, options.kind)()
    times = running.times(options.kind)
    assert running.verdict is not None
    answer = {
        "kind": options.kind,
        "duration": options.duration,
        "runs": len(times.runs),
        "p50": round(times.median, 3),
        "max": round(times.longest, 3),
        "worst_oversleep_of_an_idle_process": running.canary.worst,
        "records": running.verdict.written,
        "duplicates": running.verdict.duplicates,
        "duplicates_of_clean_moves": running.verdict.duplicates_of_clean_moves,
        "seconds": [round(run, 3) for run in times.runs],
    }
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
