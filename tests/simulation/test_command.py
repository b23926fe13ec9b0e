"""`python -m kcl_py.testing simulate`: searching seeds, and doing one again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kcl_py.core.leases.desk import Desk
from kcl_py.testing.__main__ import main

ROOT = Path(__file__).resolve().parents[2]


def test_seeds_that_keep_all_promises_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--seeds", "2", "--first", "5"]) == 0

    assert capsys.readouterr().out.startswith("2 seeds from 5, 0 failed")


def test_a_failing_seed_is_printed_with_the_command_that_does_it_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Desk, "fence_of", lambda self, sent: sent + self.duration + 1.0)

    assert main(["simulate", "--seeds", "1", "--first", "7", "--jobs", "1"]) == 1
    said = capsys.readouterr().out
    assert "seed 7: ViolationError: I1" in said
    assert "python -m kcl_py.testing simulate --replay 7" in said

    assert main(["simulate", "--replay", "7"]) == 1
    assert "ViolationError: I1" in capsys.readouterr().out


def test_a_replay_prints_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--replay", "5", "--key", "shardId-000000000000"]) == 0

    said = capsys.readouterr().out
    assert "lease.taken" in said
    assert "seed 5 kept all promises" in said


def test_a_replay_is_the_same_in_every_process() -> None:
    def replay(hash_seed: str) -> bytes:
        command = [sys.executable, "-m", "kcl_py.testing", "simulate", "--replay", "11"]
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        return subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True).stdout

    assert replay("1") == replay("2")
