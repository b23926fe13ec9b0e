"""Does a type checker see the public face as it was meant?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_right_programs_pass_and_every_mistake_is_found() -> None:
    """An ignore comment that is not needed is an error, so a mistake unnoticed fails this."""
    answer = subprocess.run(
        [sys.executable, "-m", "mypy", "tests/typing"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )

    assert answer.returncode == 0, answer.stdout + answer.stderr
