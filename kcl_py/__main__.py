"""How does `kcl`, or `python -m kcl_py`, begin?"""

from __future__ import annotations

import atexit
import gc
import importlib.util
import sys

RUNS_YOUR_CODE = "run"
"""There garbage is collected as anywhere else: something of yours may hang on it."""

GARBAGE_MAX = 100_000
"""Objects: more than a command makes while it starts, and still an end to what may heap up."""


def main() -> int:
    """Run the command line, or say what to install for it."""
    if sys.argv[1:2] != [RUNS_YOUR_CODE]:
        _hurry()
    if sys.argv[1:2] == ["health"]:
        from kcl_py.health import probe

        if probe.understands(sys.argv[2:]):
            return probe.main(sys.argv[2:])
    missing = [name for name in ("typer", "rich") if importlib.util.find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"kcl needs {' and '.join(missing)}; install with: pip install 'kcl-py[cli]'\n"
        )
        return 2
    from kcl_py.cli.main import main as run

    return run() or 0


def _hurry() -> None:
    """Search the modules that were loaded for garbage neither at the start nor at the end.

    They have none, and for a command of half a second it is a quarter of its time.
    """
    gc.set_threshold(GARBAGE_MAX, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)


if __name__ == "__main__":
    sys.exit(main())
