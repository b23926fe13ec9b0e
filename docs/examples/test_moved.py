"""How Printer is tested: `pytest docs/examples` runs this."""

from __future__ import annotations

import pytest
from kcl_py.testing import CrashAfter, HandOffAfter, make_record, run_processor

from moved import Printer


def test_what_moved_prints_everything_whatever_happens(capsys: pytest.CaptureFixture[str]) -> None:
    people = [make_record(data=f"person {number}".encode()) for number in range(100)]
    run = run_processor(
        Printer, people, incidents=[HandOffAfter(records=30), CrashAfter(records=60)]
    )

    assert run.shard_ended, run.transcript
    printed = {line.partition(" ")[2] for line in capsys.readouterr().out.splitlines()}
    assert printed == {f"person {number}" for number in range(100)}
