"""Does `kcl demo --fast` account for every record, in time?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

FAST_SECONDS_MAX = 45.0


def test_the_fast_demo_keeps_every_promise_and_leaves_nothing_behind() -> None:
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [sys.executable, "-m", "kcl_py", "demo", "--fast", "--json"],
            env={**os.environ, "TMPDIR": directory, "AWS_PROFILE": "nobody"},
            capture_output=True,
            text=True,
            check=False,
        )
        left = list(Path(directory).iterdir())

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["ok"] is True
    assert said["violations"] == []
    assert len(said["acts"]) == 6
    assert said["seconds"] < FAST_SECONDS_MAX
    assert left == []
