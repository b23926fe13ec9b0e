"""Which command runs the scale table alone? `python -m kcl_py.testing.scale`."""

from __future__ import annotations

import argparse
import sys

from kcl_py.testing.scale.command import add_arguments, run

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m kcl_py.testing.scale", description=__doc__)
    add_arguments(parser)
    sys.exit(run(parser.parse_args()))
