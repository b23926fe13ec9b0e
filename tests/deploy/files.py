"""Where are the files of `deploy/`, and what is in them?"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
DEPLOY: Final = ROOT / "deploy"
COMPOSE: Final = DEPLOY / "compose.yaml"


def load(path: Path) -> Any:
    """Read a YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def tool(name: str) -> str:
    """A tool of the extra `dev`: beside this Python, or wherever the shell finds it."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found is not None, f"{name} is missing; it comes with pip install -e '.[dev]'"
    return found


def ran(command: Sequence[str | Path], **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run a tool and return what it said."""
    return subprocess.run(
        [str(part) for part in command], check=False, capture_output=True, text=True, **settings
    )


def greeted_in(lines: str) -> Counter[str]:
    """How often the first tutorial's program has greeted whom.

    Unbuffered, as in the image and under the unit, `print` writes a line and its end one after the
    other, so that greetings of two shards' threads may share a line.
    """
    return Counter(re.findall(r"hello (\w+?)(?=hello |\W|$)", lines))
