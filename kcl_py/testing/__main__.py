"""Which seeds keep all promises, are planted bugs caught, what does a large fleet cost?"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from kcl_py.testing.mutants import command as mutants_command
from kcl_py.testing.scale import command as scale_command
from kcl_py.testing.seeds import command as simulate_command

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m kcl_py.testing", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("simulate", help="run random worlds from seeds")
    simulate_command.add_arguments(command)
    command.set_defaults(run=simulate_command.run)
    command = commands.add_parser("mutants", help="plant bugs, and see whether they are caught")
    mutants_command.add_arguments(command)
    command.set_defaults(run=mutants_command.run)
    command = commands.add_parser("scale", help="what fleets of any size do, and what they cost")
    scale_command.add_arguments(command)
    command.set_defaults(run=scale_command.run)
    options = parser.parse_args(arguments)
    code: int = options.run(options)
    return code


if __name__ == "__main__":
    sys.exit(main())
