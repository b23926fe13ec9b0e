"""Does whoever looks after a worker go on, whatever its file, its port and its worker do?"""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kcl_py import ConfigError, HealthConfig, Worker
from kcl_py.cli.running.restarts import HOPELESS
from kcl_py.health import companion
from kcl_py.health.beat import Beat, read_beat, steady
from kcl_py.health.companion import PORT_SECONDS, Health
from kcl_py.health.port import PortTaken
from kcl_py.local import Engine
from kcl_py.status import WorkerStatus
from tests.metrics.samples import STATUS

PATIENCE = 20.0


class Watch:
    """A worker that only has a status, and may have none."""

    worker_id = "w-1"

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.error: Exception | None = None

    def status(self) -> WorkerStatus:
        self.asked.release()
        if self.error is not None:
            raise self.error
        return STATUS

    def request_stop(self) -> None:
        raise AssertionError("health stops nothing")


class Clock:
    """One that goes on by itself, and waits without waiting.

    Attributes:
        ahead: So many seconds were waited for.
        then: What happens once so many were.
    """

    def __init__(self) -> None:
        self.ahead = 0.0
        self.then: dict[float, Callable[[], object]] = {}
        self._began = steady()

    def __call__(self) -> float:
        return self._began + self.ahead

    def wait(self, seconds: float) -> None:
        self.ahead += seconds
        self.then.get(self.ahead, lambda: None)()


def health(clock: Clock | None = None, **config: object) -> Health:
    return Health(
        HealthConfig(**config),  # type: ignore[arg-type]  # of tests
        now=clock or steady,
        exposition=lambda status: iter((status.worker_id,)),
        pause=None if clock is None else clock.wait,
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companion, "BEAT_SECONDS", 0.01)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/null")])
def test_what_is_no_ordinary_file_is_refused_and_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    file = tmp_path / "health"
    make(file)
    before = file.lstat()

    with pytest.raises(ConfigError, match=r"is no ordinary file, .*; name another"):
        health(file=str(file)).start(Watch())

    assert (before.st_ino, before.st_mode) == (file.lstat().st_ino, file.lstat().st_mode)


def test_a_path_that_is_none_is_a_clear_error() -> None:
    with pytest.raises(ConfigError, match=r"health\.file = .* cannot be written"):
        health(file="/tmp/a\0b").start(Watch())


def test_a_refused_start_leaves_no_beat_behind(tmp_path: Path) -> None:
    file = tmp_path / "health"
    with socket.create_server(("127.0.0.1", 0)) as other:
        clock = Clock()
        beside = health(clock, file=str(file), port=other.getsockname()[1])
        with pytest.raises(PortTaken, match=r"choose another port; tried for 10 s"):
            beside.start(Watch())

    assert not file.exists()
    assert clock.ahead == PORT_SECONDS


def test_a_port_that_is_freed_meanwhile_is_had(caplog: pytest.LogCaptureFixture) -> None:
    """As where the worker before this one is still leaving."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port, clock = other.getsockname()[1], Clock()
        clock.then = {2.0: other.close}
        beside = health(clock, port=port)
        beside.start(Watch())
    try:
        assert beside.port == port
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
            sock.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
            assert sock.recv(4096).startswith(b"HTTP/1.1 ")
    finally:
        beside.close()

    told = [(each.message, vars(each).get("port")) for each in caplog.records]
    assert told == [("health.port_taken", port)]


def test_who_is_asked_to_stop_meanwhile_waits_for_no_port() -> None:
    with Engine() as engine, socket.create_server(("127.0.0.1", 0)) as other:
        config = replace(engine.config(), health=HealthConfig(port=other.getsockname()[1]))
        worker = Worker(
            app_name="demo",
            stream="people",
            processor=lambda batch: None,
            config=config,
            session=engine.session(),
        )
        beside = next(each for each in worker._companions if isinstance(each, Health))
        waits: list[float] = []

        def pause(seconds: float) -> None:
            waits.append(seconds)
            worker.request_stop()  # as SIGTERM does

        beside._pause_before = pause
        worker.run(handle_signals=False)

    assert len(waits) == 1
    assert worker.status().state == "stopped"


def test_only_a_port_that_is_taken_is_waited_for() -> None:
    clock = Clock()
    with pytest.raises(ConfigError, match=r"set health\.host"):
        health(clock, host="192.0.2.1", port=0).start(Watch())

    assert clock.ahead == 0.0


def test_whoever_starts_workers_again_does_so_after_a_port_that_was_taken() -> None:
    unit = Path(__file__).parents[2] / "deploy" / "systemd" / "kcl@.service"
    (given_up,) = re.findall(r"^RestartPreventExitStatus=(.*)$", unit.read_text(), re.MULTILINE)

    assert str(ConfigError.exit_code) in given_up.split()
    assert str(PortTaken.exit_code) not in given_up.split()
    assert PortTaken.exit_code not in HOPELESS


def test_a_start_without_a_thread_to_be_had_holds_neither_port_nor_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    file = tmp_path / "health"
    beside = health(file=str(file), port=0)
    monkeypatch.setattr(beside, "_spawn", refuse)
    with pytest.raises(RuntimeError):
        beside.start(Watch())

    assert not file.exists()
    assert beside.port is not None
    socket.create_server(("127.0.0.1", beside.port)).close()


@pytest.mark.usefixtures("quick")
def test_a_disk_that_hangs_does_not_hold_up_whoever_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_hanging, go_on = threading.Event(), threading.Event()
    beside, worker = health(file=str(tmp_path / "health")), Watch()
    beside.start(worker)

    def hang(_path: str, _beat: Beat) -> None:
        is_hanging.set()
        go_on.wait(PATIENCE)

    monkeypatch.setattr(companion, "write_beat", hang)
    try:
        assert is_hanging.wait(PATIENCE)
        while worker.asked.acquire(blocking=False):
            pass
        assert all(worker.asked.acquire(timeout=PATIENCE) for _ in range(5))
    finally:
        go_on.set()
        beside.close()


@pytest.mark.usefixtures("quick")
def test_a_worker_that_cannot_be_looked_at_for_once_is_looked_at_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    file = tmp_path / "health"
    beside, worker = health(file=str(file)), Watch()
    beside.start(worker)
    worker.error = KeyError("a bug of ours")
    while worker.asked.acquire(blocking=False):
        pass
    assert all(worker.asked.acquire(timeout=PATIENCE) for _ in range(5))
    worker.error = None
    written = read_beat(str(file))["at"]
    while read_beat(str(file))["at"] == written:
        assert worker.asked.acquire(timeout=PATIENCE)
    beside.close()

    assert [each.message for each in caplog.records] == ["health.failed"]
    assert not file.exists()
