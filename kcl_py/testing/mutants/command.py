"""Is every planted bug caught? `python -m kcl_py.testing mutants`."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kcl_py._words import counted
from kcl_py.testing.mutants.hunt import Hunt, hunt_all
from kcl_py.testing.mutants.registry import MUTANTS
from kcl_py.testing.mutants.table import plain, write_into
from kcl_py.testing.progress import bar

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options the command has."""
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="this bug; may be repeated"
    )
    parser.add_argument("--jobs", type=int, help="processes (as many as there are processors)")
    parser.add_argument(
        "--within-max", type=int, metavar="N", help="never try more than N seeds for a bug"
    )
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the table into this page as well"
    )


def run(options: argparse.Namespace) -> int:
    """Hunt, print the table; return 1 if a bug survived, 2 if there is none of a given name."""
    known = {mutant.name for mutant in MUTANTS}
    if unknown := [name for name in options.only if name not in known]:
        sys.stderr.write(f"no planted bug is called {unknown[0]!r}\n")
        return 2
    count = len(options.only or known)
    done = itertools.count(1)
    with bar("planted bugs", count) as progress:
        hunts = hunt_all(
            options.only,
            jobs=options.jobs,
            within_max=options.within_max,
            told=lambda hunt: progress(next(done), _said(hunt)),
        )
    sys.stdout.write(plain(hunts) + "\n")
    if options.markdown is not None:
        write_into(options.markdown, hunts)
    survivors = [hunt.name for hunt in hunts if hunt.survived]
    seconds = sum(hunt.virtual_seconds for hunt in hunts)
    sys.stdout.write(
        f"{counted(count, 'planted bug')}, {len(survivors)} survived;"
        f" {counted(sum(hunt.seeds for hunt in hunts), 'world')},"
        f" {counted(round(seconds), 'virtual second')}\n"
    )
    return 1 if survivors else 0


def _said(hunt: Hunt) -> str:
    how = "SURVIVED" if hunt.survived else f"{hunt.invariant} after {hunt.seeds}"
    return f"{hunt.name}: {how}"
