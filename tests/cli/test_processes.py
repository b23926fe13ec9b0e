"""Does `kcl run --processes N` keep N workers running, and end when and as it should?"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py import ConfigError, HealthConfig
from kcl_py.cli.demo.fleet import wait_until
from kcl_py.cli.errors import ExitCode
from kcl_py.cli.options import LogFormat, LogLevel, Output, Shared
from kcl_py.cli.running.processes import Order, _Supervisor, arguments_of, prepare_health
from kcl_py.cli.running.ready import read_ready
from kcl_py.cli.running.restarts import (
    FIRST_WAIT_SECONDS,
    HOPELESS,
    LONGEST_WAIT_SECONDS,
    STEADY_SECONDS,
    Next,
    Restarts,
)
from kcl_py.local.process import EngineProcess
from kcl_py.shell.signals import draining_on_signals
from tests.cli.typed import Kcl

PATIENCE_SECONDS = 60.0
SHARDS = 4
KILLED = -signal.SIGKILL
CODES = st.sampled_from([0, 1, 2, 3, 4, 5, 70, 143, KILLED, -signal.SIGTERM])

# ---------------------------------------------------------------------------------- the decisions


def started(count: int) -> Restarts:
    made = Restarts(count, 0.0, random.Random(1))
    for number in made.due(0.0):
        made.started(number, 0.0)
    return made


def test_all_are_due_at_once_and_nothing_is_over_before_they_ran() -> None:
    made = Restarts(3, 5.0, random.Random(1))

    assert made.due(5.0) == [0, 1, 2]
    assert not made.is_over


@pytest.mark.parametrize("code", [1, 3, 5, 70, 130, 143, KILLED, -signal.SIGTERM])
def test_one_that_dies_is_started_again_and_its_code_is_forgotten(code: int) -> None:
    made = started(2)

    assert made.ended(1, code, 10.0) is Next.AGAIN
    assert made.due(10.0) == []
    assert made.due(10.0 + FIRST_WAIT_SECONDS) == [1]
    assert made.exit_code == 0


@pytest.mark.parametrize("code", sorted(HOPELESS))
def test_what_would_only_fail_again_stops_all(code: int) -> None:
    made = started(3)
    made.ended(2, KILLED, 1.0)

    assert made.ended(0, code, 1.0) is Next.GIVEN_UP
    assert made.is_stopping
    assert not made.is_over
    assert made.ended(1, 0, 2.0) is Next.DONE
    assert made.is_over
    assert made.exit_code == code


def test_settings_that_went_wrong_meanwhile_do_not_end_those_that_run() -> None:
    made = started(2)
    made.ended(1, KILLED, STEADY_SECONDS)
    made.started(1, STEADY_SECONDS + 1)

    assert made.ended(1, ExitCode.USAGE, STEADY_SECONDS + 2) is Next.AGAIN
    assert not made.is_stopping
    assert made.ended(0, ExitCode.REFUSED, STEADY_SECONDS + 3) is Next.GIVEN_UP


def test_what_ran_too_briefly_proves_nothing() -> None:
    made = started(2)
    made.ended(1, KILLED, STEADY_SECONDS - 3)
    made.started(1, STEADY_SECONDS - 2)

    assert made.ended(1, ExitCode.USAGE, STEADY_SECONDS - 1) is Next.GIVEN_UP


def test_heartbeats_of_killed_processes_are_taken_away_and_nothing_else(tmp_path: Path) -> None:
    for name in ("beat", "beat.1", "beat.7", "beat.old", "beats", "other.1"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "beat.2").mkdir()

    prepare_health(HealthConfig(file=str(tmp_path / "beat")), 2)
    prepare_health(HealthConfig(file=str(tmp_path / "no" / "beat")), 2)

    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"beat.2", "beat.old", "beats", "other.1"}


def test_each_process_must_have_a_port() -> None:
    prepare_health(HealthConfig(port=65534), 2)

    with pytest.raises(ConfigError, match="choose one up to 65533"):
        prepare_health(HealthConfig(port=65534), 3)


def test_one_that_leaves_cleanly_is_not_missed() -> None:
    made = started(2)

    assert made.ended(0, 0, 1.0) is Next.DONE
    assert not made.is_over
    assert made.next_due is None
    assert made.ended(1, 0, 9.0) is Next.DONE
    assert made.is_over
    assert made.exit_code == 0


def test_waits_grow_up_to_a_limit_and_begin_anew_after_a_steady_run() -> None:
    made, now, waits = started(1), 0.0, []
    for lasted in [1.0] * 8 + [STEADY_SECONDS]:
        now += lasted
        made.ended(0, KILLED, now)
        waits.append(made.wait_of(0, now))
        now += waits[-1]
        made.started(0, now)

    longest = [1, 2, 4, 8, 16, 30, 30, 30, 1]
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))
    assert len(set(waits)) == len(waits)


def test_a_stop_forgets_what_waits_and_keeps_the_first_bad_code() -> None:
    made = started(5)
    made.ended(0, KILLED, 1.0)
    made.stop()

    assert made.due(1000.0) == []
    codes = (0, -signal.SIGTERM, KILLED, 5)
    assert [made.ended(n, code, 2.0) for n, code in enumerate(codes, 1)] == [Next.DONE] * 4
    assert made.is_over
    assert made.exit_code == 137


@given(
    count=st.integers(1, 4),
    seed=st.integers(0, 9),
    ends=st.lists(st.tuples(st.integers(0, 3), CODES, st.floats(0.0, 200.0)), max_size=30),
    stop_at=st.integers(0, 30),
)
def test_whatever_happens_it_ends_after_a_stop_and_nobody_runs_twice(
    count: int, seed: int, ends: list[tuple[int, int, float]], stop_at: int
) -> None:
    made, now, running = Restarts(count, 0.0, random.Random(seed)), 0.0, set[int]()
    for step, (place, code, later) in enumerate(ends):
        for number in made.due(now):
            assert number not in running
            assert not made.is_stopping
            made.started(number, now)
            running.add(number)
        if step == stop_at:
            made.stop()
        now += later
        if place in running:
            running.discard(place)
            following = made.ended(place, code, now)
            assert (following is Next.AGAIN) == (made.wait_of(place, now) > 0.0)
            assert made.wait_of(place, now) <= LONGEST_WAIT_SECONDS
        assert made.is_over == (not running and made.next_due is None)
    made.stop()
    for number in running:
        made.ended(number, 0, now)
    assert made.is_over
    assert made.exit_code >= 0


# --------------------------------------------------------------------------------- what is passed


def test_a_child_is_told_the_same_but_the_number(bare: None, tmp_path: Path) -> None:
    shared = Shared(
        app="a", stream="s", region="eu-west-1", output=Output.JSON, debug=True, yes=True,
        log_format=LogFormat.JSON, log_level=LogLevel.ERROR, timeout="5s",
        settings=["leases.duration=3s", "table.tags=a=b"], no_color=True,
    )  # fmt: skip
    order = Order(
        count=2, shared=shared, processor="x:y", audit_log=Path("a.jsonl"), ready_file=Path("-")
    )
    command = _Supervisor(order, tmp_path)._command(1)

    assert command[:4] == [sys.executable, "-m", "kcl_py", "run"]
    assert command[-2:] == ["--", "x:y"]
    notices = ["--set=notices.watch=off", "--set=notices.lifecycle_hook=none"]
    assert command[4:-5] == [*arguments_of(shared), *notices]
    assert command[-5:-2] == [
        f"--supervisor={os.getpid()}",
        f"--ready-file={tmp_path / '2.json'}",
        "--audit-log=a.2.jsonl",
    ]  # fmt: skip
    assert arguments_of(shared) == [
        "--app=a", "--stream=s", "--region=eu-west-1", "--output=json", "--debug",
        "--log-format=json", "--log-level=error", "--no-color", "--yes", "--timeout=5s",
        "--set=leases.duration=3s", "--set=table.tags=a=b",
    ]  # fmt: skip


@pytest.mark.parametrize("number", ["0", "-1", "two"])
def test_less_than_one_process_is_wrong_usage(kcl: Kcl, number: str) -> None:
    typed = kcl("run", "app:T", "--app", "demo", "--stream", "s", "--processes", number)

    assert typed.failed(2, "--processes")


def test_wrong_settings_are_told_once_before_anything_starts(kcl: Kcl) -> None:
    typed = kcl("run", "app:T", "--app", "demo", "--stream", "s", "--processes=2", "--set=a=1")

    assert typed.failed(2, "a")


def test_a_supervised_worker_is_not_ended_by_a_second_signal() -> None:
    drains: list[int] = []
    with draining_on_signals(lambda: drains.append(1), second_ends=False):
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            signal.raise_signal(number)

    assert drains == [1]


# ----------------------------------------------------------------------------------- real processes

APP = """
import os, sys, time

def tell(batch):
    for record in batch:
        sys.stdout.write(f"{os.getpid()} {record.text()}\\n")
    sys.stdout.flush()

def slow(batch):
    sys.stdout.write("begun\\n")
    sys.stdout.flush()
    time.sleep(2.0)
    sys.stdout.write("finished\\n")
    sys.stdout.flush()
"""


class Running:
    """A supervisor, and what it and its processes have said."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder = folder
        self.process = process

    def events(self, name: str) -> list[dict[str, Any]]:
        whole, _, _ = (self.folder / "err").read_text().rpartition("\n")
        lines = whole.splitlines()
        said = [json.loads(line) for line in lines if line.startswith("{")]
        return [each for each in said if each["event"] == name]

    def pids(self) -> list[int]:
        return [each["pid"] for each in self.events("process.started")]

    def wait_for(self, name: str, count: int) -> None:
        wait_until(
            lambda: len(self.events(name)) >= count, f"{count} {name}", timeout=PATIENCE_SECONDS
        )


@contextlib.contextmanager
def supervised(
    folder: Path, engine: EngineProcess, name: str, thing: str = "app:tell"
) -> Iterator[Running]:
    (folder / "app.py").write_text(APP)
    environment = {
        **engine.environment,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "KCL_APP_NAME": name,
        "KCL_STREAM": name,
        "KCL_LEASES_DURATION": "3s",
        "KCL_LEASES_SETTLE": "1s",
    }
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "kcl_py", "run", thing, "--processes", "2",
             "--ready-file", "ready.json", "--log-format", "json", "--audit-log", "audit.jsonl"],
            cwd=folder, env=environment, stdout=out, stderr=err,
        )  # fmt: skip
    try:
        yield Running(folder, process)
    finally:
        process.kill()
        process.wait()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def stream(clients: Mapping[str, Any]) -> str:
    name = f"t{uuid.uuid4().hex[:12]}"
    clients["kinesis"].create_stream(StreamName=name, ShardCount=SHARDS)
    clients["kinesis"].get_waiter("stream_exists").wait(
        StreamName=name, WaiterConfig={"Delay": 0.05}
    )
    return name


@pytest.mark.process
def test_two_share_the_stream_one_that_is_killed_is_replaced_and_sigterm_ends_all(
    tmp_path: Path, engine: EngineProcess, clients: Mapping[str, Any], stream: str
) -> None:
    with supervised(tmp_path, engine, stream) as running:
        wait_until(lambda: read_ready(tmp_path / "ready.json") is not None, "ready", timeout=60.0)
        first = running.pids()
        running.wait_for("lease.taken", SHARDS)
        os.kill(first[0], signal.SIGKILL)
        running.wait_for("process.started", 3)
        running.wait_for("worker.ready", 3)
        for n in range(20):
            clients["kinesis"].put_record(StreamName=stream, Data=b"%d" % n, PartitionKey=f"{n}")
        out = tmp_path / "out"
        wait_until(
            lambda: len({line.split()[1] for line in out.read_text().splitlines()}) == 20,
            "all is processed", timeout=PATIENCE_SECONDS,
        )  # fmt: skip
        # As systemd: to one of them, and to the supervisor, which sends it to both.
        os.kill(running.pids()[2], signal.SIGTERM)
        running.process.send_signal(signal.SIGTERM)
        code = running.process.wait(PATIENCE_SECONDS)

    assert code == 0, (tmp_path / "err").read_text()
    ready = read_ready(tmp_path / "ready.json") or {}
    assert [each["pid"] for each in ready["processes"]] == first  # type: ignore[attr-defined]  # a list
    assert [e["exit_code"] for e in running.events("process.ended")] == [137, 0, 0]
    assert len({each["worker_id"] for each in running.events("worker.ready")}) == 3
    assert not any(map(is_alive, running.pids()))
    assert (tmp_path / "audit.1.jsonl").exists()
    assert (tmp_path / "audit.2.jsonl").exists()


@pytest.mark.process
def test_a_processor_that_is_not_there_stops_all_with_the_code_of_wrong_usage(
    tmp_path: Path, engine: EngineProcess
) -> None:
    with supervised(tmp_path, engine, "nothing", thing="app:absent") as running:
        code = running.process.wait(PATIENCE_SECONDS)

    assert code == 2
    assert len(running.pids()) == 2
    assert len(running.events("processes.given_up")) == 1
    assert not any(map(is_alive, running.pids()))


@pytest.mark.process
@pytest.mark.parametrize("how", ["kill -9", "two signals"])
def test_nothing_outlives_a_supervisor_that_is_ended_at_once(
    tmp_path: Path, engine: EngineProcess, stream: str, how: str
) -> None:
    with supervised(tmp_path, engine, stream) as running:
        running.wait_for("process.started", 2)
        if how == "kill -9":
            running.process.kill()
        else:
            running.process.send_signal(signal.SIGINT)
            running.process.send_signal(signal.SIGTERM)
        code = running.process.wait(PATIENCE_SECONDS)
        wait_until(lambda: not any(map(is_alive, running.pids())), "all ended", timeout=10.0)

    assert code in ((-9,) if how == "kill -9" else (130, 143))


@pytest.mark.process
@pytest.mark.parametrize("again", ["children", "supervisor"])
def test_a_second_signal_ends_all_at_once_but_only_at_the_supervisor(
    tmp_path: Path,
    engine: EngineProcess,
    clients: Mapping[str, Any],
    stream: str,
    again: str,
) -> None:
    clients["kinesis"].put_record(StreamName=stream, Data=b"x", PartitionKey="k")
    with supervised(tmp_path, engine, stream, thing="app:slow") as running:
        out = tmp_path / "out"
        wait_until(lambda: "begun" in out.read_text(), "it is busy", timeout=PATIENCE_SECONDS)
        running.process.send_signal(signal.SIGTERM)
        running.wait_for("worker.leaving", 1)
        for pid in running.pids() if again == "children" else [running.process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        code = running.process.wait(PATIENCE_SECONDS)
        wait_until(lambda: not any(map(is_alive, running.pids())), "all ended", timeout=10.0)

    if again == "children":
        assert code == 0
        assert "finished" in out.read_text()
    else:
        assert code == 143
        assert "finished" not in out.read_text()


@pytest.mark.process
def test_a_lease_table_that_is_deleted_is_not_made_anew(
    tmp_path: Path, engine: EngineProcess, clients: Mapping[str, Any], stream: str
) -> None:
    with supervised(tmp_path, engine, stream) as running:
        running.wait_for("worker.ready", 2)
        clients["dynamodb"].delete_table(TableName=stream)
        code = running.process.wait(PATIENCE_SECONDS)

    assert code == 4
    assert len(running.pids()) == 2
    assert stream not in clients["dynamodb"].list_tables()["TableNames"]


@pytest.mark.parametrize(
    "content",
    [None, b"", b"\n", b'{"ready": true', b"\xff\n", b"[1]\n", b"[" * 5000 + b"\n", "a folder"],
)
def test_what_says_not_that_it_is_ready_is_not_ready(
    tmp_path: Path, content: bytes | str | None
) -> None:
    path = tmp_path / "1.json"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()

    assert read_ready(path) is None


def test_a_place_for_files_that_broke_ends_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path, *, missing_ok: bool = False) -> None:
        raise OSError("read-only file system")

    order = Order(1, Shared(app="a", stream="s"), "x:y", None, tmp_path / "ready")
    supervisor = _Supervisor(order, tmp_path)
    monkeypatch.setattr(Path, "unlink", refuse)
    supervisor._start(0)

    assert supervisor._restarts.due(0.0) == []
    supervisor._take(supervisor._mail.get(timeout=PATIENCE_SECONDS))
    assert supervisor._restarts.next_due is not None, "it is started again"
