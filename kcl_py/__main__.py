"""How does `kcl`, or `python -m kcl_py`, begin?"""

from __future__ import annotations

import importlib.util
import sys


def main() -> int:
    """Run the command line, or say what to install for it."""
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


if __name__ == "__main__":
    sys.exit(main())
