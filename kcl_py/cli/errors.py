"""What does a command say and return when something goes wrong? One line, and one exit code."""

from __future__ import annotations

import difflib
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Final, Protocol, cast, runtime_checkable

from kcl_py.errors import KclError, WorkerFailed


class ExitCode(IntEnum):
    """What commands return. Source: the conventions of the command line in the design."""

    OK = 0
    CHECK_FAILED = 1
    USAGE = 2
    AWS = 3
    REFUSED = 4
    OUT_OF_TIME = 5
    BUG = 70
    INTERRUPTED = 130
    TERMINATED = 143


FLAGS_OF_ALL: Final = frozenset(
    {
        "--app", "--stream", "--profile", "--region", "--endpoint-url", "--config", "--output",
        "-o", "--json", "--debug", "--log-format", "--log-level", "--no-color", "--yes",
        "--timeout", "--set",
    }
)  # fmt: skip
"""What each command knows, and `kcl` before a command does not."""

_MEANT: Final[Mapping[str, str]] = {
    "--name": "--app",
    "--app-name": "--app",
    "--application": "--app",
    "--application-name": "--app",
    "--stream-name": "--stream",
    "--stream-arn": "--stream",
    "--endpoint": "--endpoint-url",
    "--workers": "--processes",
}
"""What others call a flag that has another name here."""

_MAYBE_A_STREAM: Final = "Got unexpected extra argument"
"""How a message begins when a stream may stand where nothing is meant."""

_ARE_NO_STREAMS: Final = ("[STREAM]", "SHARD", "SOURCE", "FILE", "ROLE")

_MEANT_RUN: Final = frozenset({"start", "consume", "consumer", "work", "serve"})


class OutOfTime(KclError):
    """What was asked for did not happen within `--timeout`."""

    exit_code = ExitCode.OUT_OF_TIME


@runtime_checkable
class _UsageError(Protocol):
    """What typer and click raise for wrong usage; where the class lives differs by version."""

    exit_code: int

    def format_message(self) -> str: ...


def guarded(run: Callable[[], object], arguments: Sequence[str]) -> int:
    """Run a command; turn whatever it raises into one clear line and an exit code."""
    flags = arguments[: arguments.index("--")] if "--" in arguments else arguments
    debug = "--debug" in flags
    try:
        result = run()
    except KclError as error:
        _tell(str(_telling(error)), debug=debug)
        return _exit_code(error)
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001 - a command ends in one line, whatever it is
        if type(error).__name__ == "Abort":
            return _interrupted()
        if isinstance(error, _UsageError):
            _tell(_usage(error), debug=debug)
            return error.exit_code
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        _tell(f"a bug of ours: {what}; run it again with --debug and report it", debug=debug)
        return ExitCode.BUG
    return result if isinstance(result, int) else ExitCode.OK


def nearest(name: str, known: Sequence[str]) -> str:
    """A suggestion to put behind a message, or nothing."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


def _interrupted() -> int:
    _tell("interrupted", debug=False)
    return ExitCode.INTERRUPTED


def _telling(error: KclError) -> BaseException:
    """A failed worker's reason says more than that it failed."""
    cause = error.__cause__
    return cause if isinstance(error, WorkerFailed) and isinstance(cause, KclError) else error


def _exit_code(error: KclError) -> int:
    if not isinstance(error, WorkerFailed):
        return error.exit_code
    cause = error.__cause__
    return cause.exit_code if isinstance(cause, KclError) else ExitCode.BUG


def _usage(error: _UsageError) -> str:
    message = error.format_message().rstrip()
    context = getattr(error, "ctx", None)
    option = getattr(error, "option_name", None)
    if type(error).__name__ == "NoSuchOption" and context is not None:
        message = _no_such_option(str(option), context)
    elif message.startswith("No such command") and "Did you mean" not in message:
        message = _no_such_command(message, context)
    elif message.startswith(_MAYBE_A_STREAM) and _names_a_stream(context):
        message += "; a stream is named by --stream"
    if context is not None and "\n" not in message:
        # With --help in hand the rest can be found; click's own three lines hide the point.
        message += f" (see {cast('str', context.command_path)} --help)"
    return message


def _no_such_option(option: str, context: Any) -> str:  # noqa: ANN401 - of click
    known = [name for item in context.command.params for name in item.opts]
    meant = _MEANT.get(option)
    if meant in known:
        return f"there is no option {option}; did you mean {meant}?"
    if context.parent is None and (option in FLAGS_OF_ALL or meant in FLAGS_OF_ALL):
        return f"{option} goes behind the command: kcl COMMAND {meant or option} ..."
    return f"there is no option {option}{nearest(option, known)}"


def _no_such_command(message: str, context: Any) -> str:  # noqa: ANN401 - of click
    wanted = message.split("'")[1]
    if context.parent is None:
        return f"{message} For a worker: kcl run" if wanted in _MEANT_RUN else message
    alone = context.command.params  # a group that shows something by itself has flags
    if alone and wanted in ("list", "ls", "show"):
        return f"{message} {context.command_path} by itself lists them"
    return f"{message} There are: {', '.join(context.command.commands)}"


def _names_a_stream(context: Any) -> bool:  # noqa: ANN401 - of click
    params = () if context is None else context.command.params
    arguments = [item for item in params if item.param_type_name == "argument"]
    # A command about leases reads the stream off the table.
    is_other = any(word in (item.metavar or "") for item in arguments for word in _ARE_NO_STREAMS)
    return bool(arguments) and not is_other and any(item.name == "stream" for item in params)


def _tell(message: str, *, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    lines = " ".join(message.split()) if len(message) < 2000 else message  # noqa: PLR2004 - help
    sys.stderr.write(f"error: {lines}\n")
