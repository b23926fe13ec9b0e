"""Which flags do all commands share, and what do they become?

A command takes a `Shared` as its first argument; `with_shared` turns the fields of that class into
flags, so that every flag has one name, one meaning and one help text everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, cast

import typer

from kcl_py._config_sources import (
    NO_FILE,
    ConfigFile,
    Given,
    apply_sources,
    from_variables,
    read_config_file,
)
from kcl_py._environment import process_environment
from kcl_py.config import WorkerConfig
from kcl_py.errors import ConfigError
from kcl_py.settings import parse_setting, settings_from_env

TIMEOUT_SECONDS_MAX: Final = 1e9
"""Of `--timeout`: more than thirty years; what waits for much longer is refused by Python."""


class Output(StrEnum):
    """How data is written to stdout."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


class LogFormat(StrEnum):
    """How log lines are written to stderr."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least important log line that is shown."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The flags that every command knows."""

    app: Annotated[
        str | None,
        typer.Option(
            "--app", metavar="NAME", envvar="KCL_APP_NAME", help="Application; its table."
        ),
    ] = None
    stream: Annotated[
        str | None,
        typer.Option("--stream", metavar="NAME|ARN", envvar="KCL_STREAM", help="The stream."),
    ] = None
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="Profile of the AWS files.")
    ] = None
    region: Annotated[str | None, typer.Option("--region", metavar="NAME", help="AWS region.")] = (
        None
    )
    endpoint_url: Annotated[
        str | None,
        typer.Option("--endpoint-url", metavar="URL", help="Other address of both services."),
    ] = None
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            metavar="FILE",
            envvar="KCL_CONFIG",
            help="TOML with settings, app and stream; flags and variables come before it.",
        ),
    ] = None
    output: Annotated[
        Output, typer.Option("--output", "-o", help="Form of what goes to stdout.")
    ] = Output.TABLE
    json: Annotated[bool, typer.Option("--json", help="The same as -o json.")] = False
    debug: Annotated[bool, typer.Option("--debug", help="Tracebacks, and all log lines.")] = False
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="Form of log lines on stderr.")
    ] = LogFormat.CONSOLE
    log_level: Annotated[
        LogLevel | None, typer.Option("--log-level", help="Least important line that is shown.")
    ] = None
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours; NO_COLOR=1 says the same.")
    ] = False
    yes: Annotated[bool, typer.Option("--yes", help="Answer yes to every question.")] = False
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="TIME", help="Give up after this, as 30s.")
    ] = None
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Tuning, as leases.duration=5s."),
    ] = None

    @property
    def form(self) -> Output:
        """How to write data, with `--json` taken into account."""
        return Output.JSON if self.json else self.output

    @property
    def timeout_seconds(self) -> float | None:
        """`--timeout` in seconds."""
        if self.timeout is None:
            return None
        try:
            value = cast("float", parse_setting("stop_grace", self.timeout))
        except ConfigError:
            value = 0.0
        if not 0.0 < value <= TIMEOUT_SECONDS_MAX:
            raise ConfigError(
                f"--timeout {self.timeout} is not allowed; use a duration, as 30s or 5m"
            )
        return value

    def needed_app(self) -> str:
        """The application's name; ConfigError if it was not given."""
        return _needed(self.app, "--app NAME", "KCL_APP_NAME")

    def needed_stream(self) -> str:
        """The stream; ConfigError if it was not given."""
        return _needed(self.stream, "--stream NAME|ARN", "KCL_STREAM")

    def file(self) -> ConfigFile:
        """What `--config` says; nothing without it.

        Raises:
            ConfigError: It cannot be read, or says what is no setting.
        """
        return NO_FILE if not self.config else read_config_file(self.config)

    def sources(self) -> tuple[Mapping[str, Given], ...]:
        """Where settings are from: flags, variables, the file; of two the earlier one wins."""
        region, url = self.region, self.endpoint_url
        flags = {name: Given(text, "--set") for name, text in map(_pair, self.settings or ())}
        named = {} if region is None else {"region": Given(region, "--region")}
        if url is not None:
            named["kinesis_endpoint_url"] = Given(url, "--endpoint-url")
            named["dynamodb_endpoint_url"] = Given(url, "--endpoint-url")
        variables = from_variables(settings_from_env(process_environment()))
        return named, flags, variables, self.file().settings

    def worker_config(self) -> WorkerConfig:
        """The configuration: flag before environment before file before default."""
        # Merged as text: what a flag overrides may be wrong in the environment.
        return apply_sources(WorkerConfig(), *self.sources())


def refuse_flags_before(context: typer.Context) -> None:
    """Refuse flags that stand before a sub-command: they would be of no effect there.

    Raises:
        ConfigError: There is one.
    """
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE":
            flag, command = parameter.opts[0], context.invoked_subcommand
            raise ConfigError(
                f"{flag} stands before {command}; write it behind: "
                f"{context.command_path} {command} {flag} ..."
            )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(
            f"--set {text} has no value; write --set name=value, as leases.duration=5s"
        )
    return name.strip(), value


def _needed(value: str | None, flag: str, variable: str) -> str:
    if value is None or not value.strip():
        raise ConfigError(f"{flag.split(maxsplit=1)[0]} is missing; give {flag}, or set {variable}")
    return value
