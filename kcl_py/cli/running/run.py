"""`kcl run`: run a worker with a processor that is named on the command line."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kcl_py.cli.errors import OutOfTime
from kcl_py.cli.options import LogLevel, Shared
from kcl_py.cli.running.ready import say_ready

if TYPE_CHECKING:
    from kcl_py.worker import Worker

_LOOK_SECONDS: Final = 0.05


def run(
    shared: Shared,
    *,
    processor: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:THING",
            help="A RecordProcessor class, a factory of one, or a function of a batch.",
        ),
    ],
    processes: Annotated[
        int,
        typer.Option(
            "--processes",
            metavar="N",
            min=1,
            help="So many workers, each in a process of its own; one that dies is started again.",
        ),
    ] = 1,
    audit_log: Annotated[Path | None, typer.Option("--audit-log", hidden=True)] = None,
    ready_file: Annotated[Path | None, typer.Option("--ready-file", hidden=True)] = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
    supervisor: Annotated[int | None, typer.Option("--supervisor", hidden=True)] = None,
) -> int:
    """Run a worker until SIGTERM or Ctrl-C, which stop it cleanly.

    Settings come from flags, then from KCL_* variables, then from --config FILE; the current
    directory is importable.
    """
    if with_parent or supervisor is not None:
        from kcl_py.cli.running.parent import die_with_parent

        die_with_parent(supervisor)
    from kcl_py.cli.logs import configure_worker

    configure_worker(shared, default=LogLevel.INFO)
    if processes > 1:
        from kcl_py.cli.running.processes import Order, run_processes

        order = Order(processes, shared, processor, audit_log, ready_file)
        return run_processes(order)
    return _run_worker(
        shared, processor, audit_log, ready_file, is_supervised=supervisor is not None
    )


def _run_worker(
    shared: Shared,
    processor: str,
    audit_log: Path | None,
    ready_file: Path | None,
    *,
    is_supervised: bool,
) -> int:
    """Run one, in this process."""
    from kcl_py._environment import process_environment
    from kcl_py.cli.running.loader import load
    from kcl_py.cli.session import make_session
    from kcl_py.hosts import companions_for, named_after_host

    app, stream, timeout = shared.needed_app(), shared.needed_stream(), shared.timeout_seconds
    config, session, thing = shared.worker_config(), make_session(shared), load(processor)
    config = named_after_host(config, process_environment())
    companions = companions_for(config, session=session)
    from kcl_py.worker import Worker

    worker = Worker(
        app_name=app,
        stream=stream,
        processor=thing,
        config=config,
        session=session,
        companions=companions,
    )
    if audit_log is not None:
        worker._audit_path = audit_log  # noqa: SLF001 - for tests and the demo; not public
    start = _Start(worker, ready_file, timeout)
    start.watch()
    from kcl_py.shell.signals import dumping_on_signal

    with dumping_on_signal(worker.dump_stacks):
        if is_supervised:
            _run_supervised(worker)
        else:
            worker.run()
    if start.was_too_slow:
        raise OutOfTime(
            f"the worker did not run within {shared.timeout}; see its log lines for why"
        )
    return 0


def _run_supervised(worker: Worker) -> None:
    """Both signals drain, however often they come: what ends it at once is its supervisor.

    Some send SIGTERM to all processes of a service, as systemd does; then the supervisor sends it
    again.
    """
    from kcl_py.shell.signals import draining_on_signals

    with draining_on_signals(worker.request_stop, second_ends=False):
        worker.run(handle_signals=False)


class _Start:
    """Watches a worker until it runs: says so, or stops it once its time is over."""

    def __init__(self, worker: Worker, ready_file: Path | None, timeout: float | None) -> None:
        self._worker = worker
        self._ready_file = ready_file
        self._timeout = timeout
        self.was_too_slow = False

    def watch(self) -> None:
        """Begin, if there is anything to do."""
        if self._ready_file is not None or self._timeout is not None:
            threading.Thread(target=self._work, name="kcl-start", daemon=True).start()

    def _work(self) -> None:
        patience = threading.Event()
        waited = 0.0
        while self._worker.status().state in ("new", "starting"):
            if self._timeout is not None and waited >= self._timeout:
                self.was_too_slow = True
                self._worker.request_stop()
                return
            patience.wait(_LOOK_SECONDS)
            waited += _LOOK_SECONDS
        if self._worker.status().state == "running":
            self._say_ready()

    def _say_ready(self) -> None:
        if self._ready_file is not None:
            facts = {"worker_id": self._worker.worker_id, "pid": os.getpid()}
            say_ready(self._ready_file, facts)
