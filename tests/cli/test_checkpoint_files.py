"""Do exported checkpoints bring an application back to where it was, across a split?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kcl_py.local.process import EngineProcess
from tests.cli.fleets import App, eventually
from tests.cli.typed import Kcl

pytestmark = pytest.mark.slow

FIRST = "shardId-000000000000"


@pytest.fixture
def app(at_engine: EngineProcess, clients: Mapping[str, Any]) -> App:
    made = App(at_engine.endpoint_url, clients)
    made.create_stream(1)
    return made


def finish(app: App, *texts: str) -> None:
    app.put(*texts)
    app.run_until(lambda: set(texts) <= set(app.texts()))


def test_what_came_behind_the_saved_checkpoints_comes_again(
    kcl: Kcl, app: App, tmp_path: Path
) -> None:
    at = ("--app", app.name)
    finish(app, "a", "b")
    assert "wrote 1 checkpoint to" in kcl("checkpoint", "export", "saved.json", *at).err
    later = [f"later-{n}" for n in range(4)]
    app.put(*later)
    kcl("stream", "split", FIRST, "--stream", app.name, "--wait")
    latest = [f"latest-{n}" for n in range(4)]
    finish(app, *latest)
    app.seen.clear()

    typed = kcl("checkpoint", "import", "saved.json", *at, "--dry-run")
    assert "nothing was changed" in typed.err
    assert app.rows()[FIRST].is_finished
    typed = kcl("checkpoint", "import", "saved.json", *at, "--yes", "--json")
    assert typed.code == 0, typed.err
    assert [row["effect"] for row in json.loads(typed.out)] == ["read again", "repeats", "repeats"]

    app.run_until(lambda: len(app.seen) >= 8)
    assert sorted(app.texts()) == sorted(later + latest)
    assert set(app.texts()[:4]) == set(later)


def test_files_that_do_not_fit_are_refused(kcl: Kcl, app: App, tmp_path: Path) -> None:
    at = ("--app", app.name, "--yes")
    finish(app, "a")
    text = kcl("checkpoint", "export", "-", "--app", app.name).out
    other = json.loads(text) | {"stream_arn": "arn:aws:kinesis:us-east-1:000000000000:stream/x"}
    (tmp_path / "other.json").write_text(json.dumps(other))
    older = json.loads(text) | {"stream_created_at": 1.0}
    (tmp_path / "older.json").write_text(json.dumps(older))
    (tmp_path / "none.json").write_text("{}")
    edited = json.loads(text)
    edited["leases"][0]["checkpoint"] = "9" * 56 + "/0"
    (tmp_path / "edited.json").write_text(json.dumps(edited))

    assert kcl("checkpoint", "import", "other.json", *at).failed(4, "stream/x", "mean nothing")
    assert kcl("checkpoint", "import", "older.json", *at).failed(4, "created again")
    assert kcl("checkpoint", "import", "none.json", *at).failed(2, "no file of kcl checkpoint")
    assert kcl("checkpoint", "import", "no.json", *at).failed(2, "no.json cannot be read")

    typed = kcl("checkpoint", "import", "edited.json", *at)
    assert typed.code == 0
    assert f"{FIRST} has no such place as {'9' * 56}/0" in typed.err
    app.seen.clear()
    app.run_until(lambda: app.texts() == ["a"])  # nothing was skipped
    assert kcl("checkpoint", "export", "no/where.json", *at).failed(2, "cannot be written")


def test_a_live_fleet_is_refused(kcl: Kcl, app: App, tmp_path: Path) -> None:
    finish(app, "a")
    kcl("checkpoint", "export", "saved.json", "--app", app.name)
    with app.worker() as worker:
        app.put("b")
        eventually(lambda: "b" in app.texts())

        assert kcl("checkpoint", "import", "saved.json", "--app", app.name, "--yes").failed(
            4, worker.worker_id, "--fence"
        )
