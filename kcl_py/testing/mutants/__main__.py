"""Is every planted bug caught? `python -m kcl_py.testing.mutants`."""

from __future__ import annotations

import argparse
import sys

from kcl_py.testing.mutants.command import add_arguments, run


def main() -> int:
    """Parse the command line and hunt."""
    parser = argparse.ArgumentParser(prog="python -m kcl_py.testing.mutants", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
