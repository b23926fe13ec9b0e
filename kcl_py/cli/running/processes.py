"""How does one command run N workers, each in a process of its own, and keep them running?"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import FrameType
from typing import Final, TypeAlias

from kcl_py._config_observe import PORT_MAX, HealthConfig
from kcl_py._environment import process_environment
from kcl_py.cli.errors import ExitCode
from kcl_py.cli.options import Shared
from kcl_py.cli.running.notifying import Notifying, address_here, without_systemd
from kcl_py.cli.running.ready import read_ready, say_ready
from kcl_py.cli.running.restarts import Next, Restarts, shown
from kcl_py.cli.session import make_session
from kcl_py.errors import ConfigError
from kcl_py.hosts.composing import NoticePlan, notice_plan
from kcl_py.hosts.identity import read_hints
from kcl_py.shell.clock import SYSTEM_CLOCK
from kcl_py.shell.signals import EXIT_CODE_BASE, end_now

_LOOK_SECONDS: Final = 0.5
"""How often the main thread looks up: a signal may have reached another thread meanwhile."""

_NO_NOTICES: Final = ("--set=notices.watch=off", "--set=notices.lifecycle_hook=none")
"""For each process; the supervisor heeds notices for all."""
_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)
_PASSED_ON: Final = (signal.SIGUSR1,) if hasattr(signal, "SIGUSR1") else ()

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What `kcl run --processes N` was asked for.

    Attributes:
        audit_log: Of the process with number 1 in `a.jsonl` it is `a.1.jsonl`.
        ready_file: Written once, when all are ready.
    """

    count: int
    shared: Shared
    processor: str
    audit_log: Path | None
    ready_file: Path | None


def run_processes(order: Order) -> int:
    """Run N workers until SIGTERM or SIGINT, or until none is left; returns the exit code."""
    order.shared.needed_app()
    order.shared.needed_stream()
    config = order.shared.worker_config()
    _ = order.shared.timeout_seconds
    prepare_health(config.health, order.count)
    # Asked here, for all: a lifecycle hook must hear of the end of the last one, not of the first.
    plan = notice_plan(
        config, process_environment(), read_hints(), lambda: make_session(order.shared)
    )
    if order.ready_file is None and address_here() is None:
        return _Supervisor(order, None, plan).run()
    with tempfile.TemporaryDirectory(prefix="kcl-run-") as directory:
        return _Supervisor(order, Path(directory), plan).run()


def arguments_of(shared: Shared) -> list[str]:
    """The flags that say the same again."""
    given: list[str] = []
    for each in fields(shared):
        value = getattr(shared, each.name)
        flag = "--set" if each.name == "settings" else f"--{each.name.replace('_', '-')}"
        if isinstance(value, bool):
            given += [flag] if value else []
        elif value is not None:
            given += [f"{flag}={item}" for item in (value if isinstance(value, list) else [value])]
    return given


def health_of(shared: Shared, number: int) -> list[str]:
    """The flags that give each its own heartbeat file and port: `FILE.1` and PORT for the first."""
    health = shared.worker_config().health
    given = []
    if health.file is not None:
        given.append(f"--set=health.file={health.file}.{number + 1}")
    if health.port:
        given.append(f"--set=health.port={health.port + number}")
    return given


def prepare_health(health: HealthConfig, count: int) -> None:
    """Take away heartbeats that processes left when they were killed; none of ours is there yet.

    One of a single worker, or of a process with a higher number, would be called dead for ever.

    Raises:
        ConfigError: There are not so many ports.
    """
    if health.port and health.port + count - 1 > PORT_MAX:
        raise ConfigError(
            f"health.port = {health.port} leaves no port for each of {count} processes; "
            f"choose one up to {PORT_MAX - count + 1}"
        )
    if health.file is None:
        return
    directory, name = os.path.split(health.file)
    with contextlib.suppress(OSError):  # whoever writes there says what is wrong
        for path in Path(directory or ".").iterdir():
            first, _, number = path.name.rpartition(".")
            if path.is_file() and (path.name == name or (first == name and number.isdecimal())):
                path.unlink()


@dataclass(frozen=True, slots=True)
class _Ended:
    number: int
    code: int


@dataclass(frozen=True, slots=True)
class _NoticeSeen:
    """The machine will end."""


_Mail: TypeAlias = "_Ended | _NoticeSeen | signal.Signals"


class _Supervisor:
    """Starts, waits, passes on. What to do is decided by `Restarts`."""

    def __init__(
        self, order: Order, directory: Path | None, plan: NoticePlan | None = None
    ) -> None:
        self._order = order
        self._directory = directory
        self._restarts = Restarts(order.count, SYSTEM_CLOCK.now(), random.Random())
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._mail: queue.SimpleQueue[_Mail] = queue.SimpleQueue()  # safe in signal handlers
        self._is_ready_said = False
        self._signals = 0
        self._notices = None if plan is None else plan.watch(lambda: self._mail.put(_NoticeSeen()))
        address = address_here()
        self._systemd: Notifying | None = None
        if address is not None and directory is not None:
            self._systemd = Notifying(address, directory)

    def run(self) -> int:
        with _signals_to(self._mail), self._none_left_behind(), self._notices_heeded():
            while not self._restarts.is_over:
                for number in self._restarts.due(SYSTEM_CLOCK.now()):
                    self._start(number)
                self._look_whether_ready()
                self._look_whether_alive()
                with contextlib.suppress(queue.Empty):
                    self._take(self._mail.get(timeout=self._patience()))
        return self._restarts.exit_code

    def _patience(self) -> float:
        due = self._restarts.next_due
        if due is None:
            return _LOOK_SECONDS
        return min(max(due - SYSTEM_CLOCK.now(), 0.0), _LOOK_SECONDS)

    def _take(self, mail: _Mail) -> None:
        if isinstance(mail, _Ended):
            self._ended(mail.number, mail.code)
            return
        if isinstance(mail, _NoticeSeen):
            self._drain()
            return
        if mail not in _STOPPING:
            for process in self._running.values():
                process.send_signal(mail)
            return
        self._signals += 1
        if self._signals > 1:
            self._kill_all()
            if self._directory is not None:
                shutil.rmtree(self._directory, ignore_errors=True)
            end_now(EXIT_CODE_BASE + mail)
        self._drain()

    def _drain(self) -> None:
        if not self._restarts.is_stopping:
            self._restarts.stop()
            self._ask_all_to_stop()

    # -------------------------------------------------------------------------------- one of them

    def _start(self, number: int) -> None:
        # In the main thread: Linux ends a child when the thread ends that started it.
        ready_file = self._ready_file(number)
        self._restarts.started(number, SYSTEM_CLOCK.now())
        try:
            if ready_file is not None:
                ready_file.unlink(missing_ok=True)
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and package
                self._command(number),
                stdin=subprocess.DEVNULL,
                env=self._environment(number),
                # Out of reach of the terminal: Ctrl-C comes from here, and once.
                start_new_session=True,
            )
        except OSError as error:
            _log.error("process.not_started", extra={"number": number + 1, "problem": str(error)})
            self._mail.put(_Ended(number, ExitCode.CHECK_FAILED))
            return
        self._running[number] = process
        if self._systemd is not None:
            self._systemd.started(number, SYSTEM_CLOCK.now())
        _log.info("process.started", extra={"number": number + 1, "pid": process.pid})
        threading.Thread(
            target=lambda: self._mail.put(_Ended(number, process.wait())),
            name=f"kcl-wait-{number + 1}",
            daemon=True,
        ).start()

    def _command(self, number: int) -> Sequence[str]:
        order, log = self._order, self._order.audit_log
        own = [f"--supervisor={os.getpid()}"]
        if ready_file := self._ready_file(number):
            own.append(f"--ready-file={ready_file}")
        if log is not None:
            own.append(f"--audit-log={log.with_suffix(f'.{number + 1}{log.suffix}')}")
        flags = [
            *arguments_of(order.shared),
            *_NO_NOTICES,
            *health_of(order.shared, number),
            *own,
        ]
        return [sys.executable, "-m", "kcl_py", "run", *flags, "--", order.processor]

    def _environment(self, number: int) -> dict[str, str]:
        env = process_environment()
        return (
            without_systemd(env) if not self._systemd else self._systemd.environment_of(number, env)
        )

    def _ended(self, number: int, code: int) -> None:
        process = self._running.pop(number, None)
        if self._systemd is not None:
            self._systemd.ended(number)
        now = SYSTEM_CLOCK.now()
        following = self._restarts.ended(number, code, now)
        if process is not None:
            ended = {"number": number + 1, "pid": process.pid, "exit_code": shown(code)}
            if code == 0:
                _log.info("process.ended", extra=ended)
            else:
                _log.warning("process.ended", extra=ended)
        if following is Next.AGAIN:
            wait = round(self._restarts.wait_of(number, now), 1)
            _log.warning("process.restarting", extra={"number": number + 1, "wait": wait})
        elif following is Next.GIVEN_UP:
            _log.error("processes.given_up", extra={"exit_code": code})
            self._ask_all_to_stop()

    # ---------------------------------------------------------------------------------------- all

    def _ask_all_to_stop(self) -> None:
        if self._systemd is not None:
            self._systemd.stopping()
        for process in self._running.values():
            process.terminate()

    def _kill_all(self) -> None:
        for process in self._running.values():
            process.kill()

    @contextlib.contextmanager
    def _none_left_behind(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._kill_all()

    @contextlib.contextmanager
    def _notices_heeded(self) -> Iterator[None]:
        """Ask while the block runs; afterwards all have drained."""
        if self._notices is not None:
            self._notices.start()
        try:
            yield
        finally:
            if self._notices is not None:
                self._notices.finish()
            if self._systemd is not None:
                self._systemd.close()

    def _ready_file(self, number: int) -> Path | None:
        return None if self._directory is None else self._directory / f"{number + 1}.json"

    def _look_whether_ready(self) -> None:
        if self._is_ready_said or self._directory is None:
            return
        paths = [self._ready_file(number) for number in sorted(self._running)]
        said = [read_ready(path) for path in paths if path is not None]
        if None not in said and len(said) == self._order.count:
            self._is_ready_said = True
            if self._systemd is not None:
                self._systemd.ready()
            if self._order.ready_file is not None:
                say_ready(self._order.ready_file, {"pid": os.getpid(), "processes": said})

    def _look_whether_alive(self) -> None:
        if self._systemd is None:
            return
        status = f"{self._state()}: {len(self._running)} of {self._order.count} processes"
        for number in self._systemd.look(SYSTEM_CLOCK.now(), status):
            process = self._running[number]
            _log.error("process.silent", extra={"number": number + 1, "pid": process.pid})
            self._systemd.ended(number)  # said once; it comes back as one that was killed
            process.kill()

    def _state(self) -> str:
        """Until all have been ready once, they may be waiting for a stream or a table."""
        if self._restarts.is_stopping:
            return "draining"
        return "running" if self._is_ready_said else "starting"


@contextlib.contextmanager
def _signals_to(mail: queue.SimpleQueue[_Mail]) -> Iterator[None]:
    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        mail.put(signal.Signals(number))

    numbers = (*_STOPPING, *_PASSED_ON)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
