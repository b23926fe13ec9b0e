"""How does `python -m kcl_py.health` begin? As cheaply as it can."""

from __future__ import annotations

import sys

from kcl_py.health.probe import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
