"""`kcl local`: Kinesis and DynamoDB on this machine, alone or around a command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import typer

from kcl_py.cli.errors import OutOfTime
from kcl_py.cli.options import Output, Shared
from kcl_py.errors import ConfigError

_FORWARDED: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

_FOREVER_SECONDS: Final = 1e9

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
"""What a shell returns for these, and so do we."""


def local(
    shared: Shared,
    *,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND...]", help="Runs against it; its exit code is ours."),
    ] = None,
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one."),
    ] = 0,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Keep everything in there.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of faults that happen by chance.")] = 0,
    no_limits: Annotated[
        bool, typer.Option("--no-limits", help="Without the rate limits of the services.")
    ] = False,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> int:
    """Serve Kinesis and DynamoDB on 127.0.0.1 until stopped, or while a command runs.

    The command gets an environment in which boto3 and the AWS CLI reach nothing but this machine.
    """
    from kcl_py.local.engine import Engine, EngineSettings
    from kcl_py.local.kinesis import KinesisSettings

    if with_parent:
        from kcl_py.cli.running.parent import die_with_parent

        die_with_parent()
    settings = EngineSettings(
        port=port, data=data, seed=seed, kinesis=KinesisSettings(limits=not no_limits)
    )
    try:
        with Engine.from_settings(settings) as engine:
            if command:
                return _run(shared, command, engine.environment)
            return _serve(shared, engine.endpoint_url)
    except RuntimeError as error:
        cause = error.__cause__
        if not isinstance(cause, OSError):
            raise
        # A port that is taken, or a folder that cannot be written, is no bug of ours.
        where = f"port {port}" if data is None else f"port {port} and {data}"
        raise ConfigError(f"{error} with {where}: {cause.strerror or cause}") from cause


def _serve(shared: Shared, url: str) -> int:
    """Say where it is, and wait for a signal."""
    from kcl_py.local.environment import clean_environment

    stopped = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    environment = clean_environment({}, url)
    if shared.form is Output.TABLE:
        exports = "".join(f"export {name}={value}\n" for name, value in environment.items())
        sys.stdout.write(exports)
        sys.stderr.write(f"Kinesis and DynamoDB are at {url}; Ctrl-C ends them\n")
    else:
        facts = {"endpoint_url": url, "environment": environment}
        sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    # A wait without an end would not let a signal handler run on every platform.
    while not stopped.wait(timeout=1.0):
        pass
    return 0


def _run(shared: Shared, command: Sequence[str], environment: Mapping[str, str]) -> int:
    timeout = shared.timeout_seconds
    signals = _Forwarding()
    try:
        child = subprocess.Popen(list(command), env=dict(environment))  # noqa: S603 - asked for
    except FileNotFoundError:
        sys.stderr.write(f"error: there is no command {command[0]!r}; check PATH and spelling\n")
        return NOT_FOUND
    except PermissionError:
        sys.stderr.write(f"error: {command[0]!r} cannot be executed; check its permissions\n")
        return NOT_EXECUTABLE
    except OSError as error:
        said = f"{command[0]!r} cannot be executed: {error.strerror}"
        sys.stderr.write(f"error: {said}; a script begins with #! and its interpreter\n")
        return NOT_EXECUTABLE
    signals.to(child)
    try:
        # A limit, so that this thread looks up: signals may have reached another one meanwhile.
        returned = child.wait(timeout or _FOREVER_SECONDS)
    except subprocess.TimeoutExpired:
        _end(child)
        raise OutOfTime(
            f"{command[0]} did not end within {shared.timeout}; it was stopped"
        ) from None
    return returned if returned >= 0 else 128 - returned


class _Forwarding:
    """Hands signals on to a child; what arrives before there is one waits for it."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._waiting: list[int] = []
        for number in _FORWARDED:
            signal.signal(number, self._forward)
        # A terminal sends Ctrl-C to the child as well; it must not count as two.
        on_interrupt = _ignore if sys.stdin.isatty() else self._forward
        signal.signal(signal.SIGINT, on_interrupt)

    def to(self, child: subprocess.Popen[bytes]) -> None:
        """From now on to this process."""
        self._child = child
        while self._waiting:
            child.send_signal(self._waiting.pop(0))

    def _forward(self, signum: int, frame: FrameType | None) -> None:
        del frame
        if self._child is None:
            self._waiting.append(signum)
        else:
            self._child.send_signal(signum)


def _ignore(signum: int, frame: FrameType | None) -> None:
    """Not SIG_IGN, which the child would inherit."""
    del signum, frame


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(5.0)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
