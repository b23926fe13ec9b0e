"""How does a program run a worker? The composition root: everything is put together here."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import random
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from kcl_py._config_sources import application_of
from kcl_py._environment import process_environment
from kcl_py.aws.clients import ClientFactory
from kcl_py.aws.names import parse_stream
from kcl_py.companions import Companion, close_all, start_all
from kcl_py.config import WorkerConfig
from kcl_py.core.events import StopAsked
from kcl_py.core.worker_core import WorkerCore
from kcl_py.errors import ConfigError, KclError, ServiceError, StopTimeout
from kcl_py.hosts.identity import named_after_host
from kcl_py.observers import observers
from kcl_py.processor import ProcessorLike, classify
from kcl_py.shell.audit import AuditLog
from kcl_py.shell.clock import SYSTEM_CLOCK
from kcl_py.shell.connecting import Connected, Connecting
from kcl_py.shell.control import StatusAsked
from kcl_py.shell.identity import check_app, new_worker_id
from kcl_py.shell.run import is_inside_processor
from kcl_py.shell.shell import Crashed, Job, Shell
from kcl_py.shell.signals import draining_on_signals
from kcl_py.shell.threads import spawn
from kcl_py.status import WorkerEvent, WorkerState, WorkerStatus, idle_status

if TYPE_CHECKING:
    from os import PathLike
    from types import TracebackType

    import boto3.session

__all__ = ["ClientFactory", "Worker"]

SIGNAL_SECONDS: Final = 0.5
"""How often the main thread looks up: a signal that reached a frozen process wakes another one."""

STATUS_SECONDS: Final = 2.0
"""How long `status()` waits for the control thread; then it gives what was known before."""


class Worker:
    """Takes its share of the stream's shards, runs a processor for each. KCL: Scheduler.

    One object runs once, in the process that made it. Thread-safe.
    """

    def __init__(
        self,
        *,
        app_name: str,
        stream: str,
        processor: ProcessorLike,
        config: WorkerConfig = WorkerConfig(),  # noqa: B008 - frozen, and made to be shared
        session: boto3.session.Session | None = None,
        client_factory: ClientFactory | None = None,
        on_event: Callable[[WorkerEvent], None] | None = None,
        companions: Sequence[Companion] = (),
    ) -> None:
        """Check everything that needs no network; connect nothing. Reads no KCL_* variable.

        Args:
            app_name: Names the lease table. Workers with the same name share the stream.
            stream: Name or ARN.
            processor: What makes processors, or is one; told apart by its required arguments.
            config: Everything tunable that is plain data.
            session: Ours are made from it (default chain otherwise); never changed, never shared
                with your clients.
            client_factory: Makes the clients instead; must make a new one at every call.
            on_event: Called with every log event of the catalogue, in a thread of its own.
            companions: Run beside the worker from its start to its end, as health and metrics do.

        Raises:
            ConfigError: An argument is wrong; the message names it.
        """
        check_app(app_name, config)
        if session is not None and client_factory is not None:
            raise ConfigError("session and client_factory were both given; give one of them")
        if on_event is not None and not callable(on_event):
            raise ConfigError(
                f"on_event = {on_event!r} cannot be called; give a function of one event"
            )
        self._app_name = app_name
        self._stream = parse_stream(stream)
        self._maker = classify(processor)
        self._config = config
        self._session = session
        self._client_factory = client_factory
        self._on_event = on_event
        asked = observers(
            config, app_name, self._stream, session, client_factory, lambda: self._stop_asked
        )
        self._companions = (*companions, *asked.companions)
        self._cpu_used = asked.cpu_used
        self._audit_path: str | PathLike[str] | None = None  # set by `kcl run --audit-log`
        self._worker_id = new_worker_id(config.worker_name)
        self._process = os.getpid()
        self._starting = threading.Lock()
        self._shell: Shell | None = None
        self._stop_asked = False
        self._ended: Future[None] = Future()
        self._status = idle_status(self._worker_id, "new")
        self._connected: Connected | None = None

    @classmethod
    def from_env(
        cls,
        processor: ProcessorLike,
        *,
        env: Mapping[str, str] | None = None,
        file: str | PathLike[str] | None = None,
    ) -> Worker:
        """KCL_APP_NAME, KCL_STREAM and the settings, from variables and a file, as `kcl run`.

        Raises:
            ConfigError: One of the two is missing, or a setting is wrong.
        """
        found = process_environment() if env is None else env
        app_name, stream = application_of(found, file)
        config = named_after_host(WorkerConfig.from_env(found, file=file), found)
        return cls(app_name=app_name, stream=stream, processor=processor, config=config)

    # ----------------------------------------------------------------------------------- running

    def run(self, *, handle_signals: bool = True) -> None:
        """Start, block until stopped, stop cleanly.

        SIGTERM and SIGINT drain; a second one ends the process at once, with 143 or 130.

        Args:
            handle_signals: In the main thread only; elsewhere signals are never touched.

        Raises:
            SetupError: Could not start.
            WorkerFailed: Could not go on.
            StopTimeout: `stop_grace` was not enough.
        """
        if not handle_signals:
            self.start()
            self._wait_or_drain()
            return
        with draining_on_signals(self.request_stop):
            self.start()
            self._wait_or_drain()

    async def run_async(self) -> None:
        """The same inside your loop, on which async processors then run. Cancelling it drains.

        SIGTERM drains if nobody else handles it; SIGINT is left to `asyncio.run`, which cancels.

        Raises:
            SetupError: Could not start.
            WorkerFailed: Could not go on.
            StopTimeout: `stop_grace` was not enough.
        """
        with draining_on_signals(self.request_stop, only_default=True):
            self._start(asyncio.get_running_loop())
            ended = asyncio.wrap_future(self._ended)
            try:
                while not ended.done():
                    await asyncio.wait([ended], timeout=SIGNAL_SECONDS)
                ended.result()
            except asyncio.CancelledError:
                self.request_stop()
                await asyncio.wait([ended])
                ended.exception()
                raise

    def start(self) -> None:
        """Start in the background. What goes wrong later is raised by `join` and `stop`.

        Raises:
            RuntimeError: It ran before, or the process was forked since it was made.
            A companion that cannot start raises whatever tells why.
        """
        self._start(None)

    def request_stop(self) -> None:
        """Ask for a drain; returns at once; safe in signal handlers and processors."""
        self._refuse_fork()
        # Not a lock or an event here: a signal handler may interrupt whoever holds it.
        was_asked, self._stop_asked = self._stop_asked, True
        shell = self._shell
        if shell is not None and not was_asked:
            shell.mailbox.put(StopAsked())

    def stop(self, timeout: float | None = None) -> None:
        """request_stop and join.

        Raises:
            StopTimeout: It has not stopped within `timeout` seconds, or not within `stop_grace`.
            RuntimeError: Called by a processor or `on_event` of this worker.
        """
        self.request_stop()
        if not self.join(timeout):
            raise StopTimeout(
                f"the worker has not stopped within {timeout} s; it goes on draining until "
                f"stop_grace ({self._config.stop_grace:g} s) is over"
            )

    def join(self, timeout: float | None = None) -> bool:
        """Wait until it has stopped, `timeout` seconds at most; say whether it has.

        Raises:
            KclError: What ended it, if it was not a clean stop.
            RuntimeError: Called by a processor or `on_event` of this worker.
        """
        self._refuse_fork()
        shell = self._shell
        if shell is None:
            return True
        if is_inside_processor(self._worker_id) or shell.reporter.is_current_thread:
            raise RuntimeError(
                "a processor or on_event cannot wait for its own worker to stop; "
                "call request_stop()"
            )
        try:
            self._ended.result(timeout)
        except TimeoutError:
            # In 3.11 both are one class: the worker's own errors are KclErrors.
            return False
        return True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.request_stop()
        try:
            self.join()
        except KclError:
            # It is in the log; the exception that is under way says more.
            if error is None:
                raise

    # ------------------------------------------------------------------------------------ looking

    @property
    def worker_id(self) -> str:
        """Name of this worker in the lease table, new for every object."""
        return self._worker_id

    def status(self) -> WorkerStatus:
        """What it does at this moment; the last known after its end."""
        self._refuse_fork()
        shell = self._shell
        if shell is None or self._ended.done() or self._connected is None:
            return self._status
        question = StatusAsked()
        shell.mailbox.put(question)
        with contextlib.suppress(TimeoutError, CancelledError):
            self._status = self._connected.complete(question.answer.result(STATUS_SECONDS))
        return self._status

    def dump_stacks(self) -> None:
        """Log where every thread is (`worker.stacks_dumped`), as SIGUSR1 does for `kcl run`."""
        if self._shell is not None:
            self._shell.dump_stacks()

    # ------------------------------------------------------------------------- the control thread

    def _start(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._refuse_fork()
        with self._starting:
            if self._shell is not None:
                raise RuntimeError("a Worker runs once; make a new one")
            facts = {
                "worker_id": self._worker_id,
                "app_name": self._app_name,
                "stream": self._stream.name,
            }
            start_all(self._companions, self)
            try:
                self._shell = Shell(SYSTEM_CLOCK, facts, self._on_event, self._companions)
            except BaseException:  # no thread was to be had: nothing would ever close them
                close_all(self._companions)
                raise
            self._status = idle_status(self._worker_id, "starting")
        shell, context = self._shell, contextvars.copy_context()
        try:
            spawn("kcl-control", lambda: self._live(shell, loop, context), shell.on_crash)
        except BaseException as error:
            self._end(shell, error)
            raise

    def _live(
        self, shell: Shell, loop: asyncio.AbstractEventLoop | None, context: contextvars.Context
    ) -> None:
        error: BaseException | None = None
        try:
            error = self._serve(shell, loop, context)
        except BaseException as raised:  # noqa: BLE001 - it is raised again where somebody waits
            error = raised
        finally:
            self._end(shell, error)

    def _serve(
        self, shell: Shell, loop: asyncio.AbstractEventLoop | None, context: contextvars.Context
    ) -> KclError | None:
        """Set up and run; return what ended it, None after a clean stop."""
        rng = random.Random(secrets.randbits(64))
        try:
            connected = None if self._stop_asked else self._connecting(shell, rng).connect()
        except ServiceError:
            if self._stop_asked:
                return None
            raise
        if connected is None:
            return None
        self._connected = connected
        core = WorkerCore(
            worker_id=self._worker_id,
            config=self._config,
            table=connected.table_facts,
            stream=connected.stream_facts,
            rng=rng,
        )
        job = Job(
            app_name=self._app_name,
            worker_id=self._worker_id,
            stream=connected.stream_facts,
            maker=self._maker,
            errors=connected.errors,
            table_port=connected.table,
            stream_port=connected.stream,
            audit=AuditLog(self._audit_path, self._worker_id) if self._audit_path else None,
            loop=loop,
            context=context,
            meter=connected.meter,
        )
        error = shell.run(core, job)
        if not isinstance(error, Crashed):  # else nothing that the core says counts
            self._status = connected.complete(core.status(SYSTEM_CLOCK.now()))
        return error

    def _connecting(self, shell: Shell, rng: random.Random) -> Connecting:
        return Connecting(
            app_name=self._app_name,
            stream=self._stream,
            config=self._config,
            session=self._session,
            client_factory=self._client_factory,
            rng=rng,
            is_stopping=lambda: self._stop_asked,
            on_progress=shell.say_waiting,
            cpu_used=self._cpu_used,
        )

    def _end(self, shell: Shell, error: BaseException | None) -> None:
        """Let everybody go on who waits, whatever fails on the way."""
        try:
            with contextlib.ExitStack() as last:
                if self._connected is not None:
                    last.callback(self._connected.clients.close)
                shell.take_leave(error)
        except BaseException as bug:  # noqa: BLE001 - it is raised where somebody waits
            error = error or bug
        state: WorkerState = "stopped" if error is None else "failed"
        self._status = replace(self._status, state=state, healthy=False)
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)

    def _wait_or_drain(self) -> None:
        try:
            while not self.join(SIGNAL_SECONDS):
                pass
        except (KeyboardInterrupt, SystemExit):
            self.request_stop()
            self.join()
            raise

    def _refuse_fork(self) -> None:
        if os.getpid() != self._process:
            raise RuntimeError(
                f"this Worker was made in process {self._process}, before a fork; threads and "
                "connections do not survive that: make the Worker in the process that runs it"
            )
