"""Which pages are made from the code? `python docs/make_reference.py` writes them anew.

A test compares them with the code, so that they cannot fall behind.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, fields
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from iam_reference import iam_page, write_policies
from metrics_reference import metrics_page
from testing_reference import testing_page
from typer.models import ArgumentInfo, CommandInfo, OptionInfo

from kcl_py import (
    Backoff,
    DeliveryConfig,
    HealthConfig,
    LeaseConfig,
    MetricsConfig,
    OnError,
    PollingConfig,
    ProducerConfig,
    TableConfig,
    WorkerConfig,
)
from kcl_py._kcl_names import KCL_NAMES
from kcl_py.cli.catalogue import GROUPS
from kcl_py.cli.commands import with_shared
from kcl_py.cli.main import whole_app
from kcl_py.config import NoticeConfig
from kcl_py.errors import ConfigError
from kcl_py.settings import env_name, known_settings, parse_setting

FOLDER = Path(__file__).parent / "reference"

CLASSES = {
    "": WorkerConfig,
    "on_error": OnError,
    "on_error.backoff": Backoff,
    "leases": LeaseConfig,
    "table": TableConfig,
    "reading": PollingConfig,
    "delivery": DeliveryConfig,
    "notices": NoticeConfig,
    "health": HealthConfig,
    "metrics": MetricsConfig,
}

JAVA = {
    "initial_position": "initialPositionInStream",
    "worker_name": "workerIdentifier",
    "leases.duration": "failoverTimeMillis",
    "leases.max_leases": "maxLeasesForWorker",
    "leases.handoff_timeout": "gracefulLeaseHandoffTimeoutMillis",
    "table.name": "tableName",
    "table.point_in_time_recovery": "leaseTablePitrEnabled",
    "table.deletion_protection": "leaseTableDeletionProtectionEnabled",
    "reading.idle_interval": "idleTimeBetweenReadsInMillis",
    "reading.page_records": "maxRecords",
    "metrics.level": "metricsLevel",
    "metrics.namespace": "metricsNamespace",
    "metrics.interval": "metricsBufferTimeMillis",
    "region": "regionName",
    "kinesis_endpoint_url": "kinesisEndpoint",
    "dynamodb_endpoint_url": "dynamoDBEndpoint",
}
"""Source: the setters of the Java KCL's configuration classes."""

PROBES = (
    ("2m", 120.0, "duration"),
    ("2KiB", 2048, "size"),
    ("7", 7, "number"),
    ("1.5", 1.5, "number"),
    ("yes", True, "true or false"),
    ("a=b", {"a": "b"}, "tags"),
)

MADE = "<!-- Made by docs/make_reference.py; do not edit. -->"

SETTINGS_HEAD = f"""# Settings
{MADE}

Four spellings, one meaning: `LeaseConfig(duration=5.0)` in code, `KCL_LEASES_DURATION=5s` in the
environment, `--set leases.duration=5s` on the command line, `duration = "5s"` under `[leases]` in a
file of TOML. In code durations are float seconds and
sizes are bytes; as text write `500ms`, `10s`, `2m`, `1h` and `64MiB`, `500kB`, `1048576`; a bare
number is seconds, or bytes. `none` unsets what may be unset. How they are combined:
[configure](../how-to/configure.md).

"Java" is the name in the Java KCL; it counts milliseconds where this counts seconds. Asking for a
setting by its Java name is answered with the right one.
"""

SETTINGS_TAIL = f"""
Only in code: `OnError.give_up_on`, the exceptions that no retry can mend; they go straight to
`then`; and `MetricsConfig.meter_provider`, for `sink = "otel"`, where not the global one of
OpenTelemetry is meant. A variable is named after its setting:
`{env_name("on_error.backoff.first")}` is `on_error.backoff.first`. `KCL_APP_NAME`, `KCL_STREAM` and
`KCL_CONFIG` are `--app`, `--stream` and `--config`. `kcl config show` prints what holds and why."""

NAMES_HEAD = f"""# Names of the KCL
{MADE}

What a setting of the Java KCL 3.5 (a setter of its configuration classes) or a property of
`amazon_kclpy` is called here. Asking `kcl` or `WorkerConfig` for one of these names is answered
with the same words. How to move: [migrate from the KCL](../how-to/migrate-from-the-kcl.md).
"""

PRODUCER_HEAD = """

## `ProducerConfig`

Of a `Producer` or `AsyncProducer` ([produce](../how-to/produce.md)). Only in code, as
`ProducerConfig(linger=0.02)`: neither variables nor `--set` say them, and `kcl produce` has options
of its own.

| setting | default | as | what |
|---|---|---|---|"""

CLI_HEAD = f"""# Commands
{MADE}

`kcl`, `kcl-py` and `python -m kcl_py` are the same. Data goes to stdout, talk and logs to stderr.
What the exit codes mean: [exit codes](exit-codes.md). Tab completes commands, flags and values:
[kcl completion](#kcl-completion).
"""


# ------------------------------------------------------------------------------------ settings


def descriptions(kind: type) -> dict[str, str]:
    """Read the Attributes section of a docstring."""
    lines = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2].splitlines()
    found: dict[str, str] = {}
    name = ""
    for line in lines:
        started = re.match(r"    (\w[\w, ]*): (.*)", line)
        if started:
            name = started[1]
            found[name] = started[2]
        elif line.startswith("     ") and name:
            found[name] += " " + line.strip()
    return found


def kind_of(setting: str) -> str:
    """Find out what a setting is by what it reads."""
    if setting == "initial_position":
        return "`earliest`, `latest` or `2026-11-21T10:00Z`"
    for text, value, word in PROBES:
        try:
            read = parse_setting(setting, text)
        except ConfigError:
            continue
        if read == value and type(read) is type(value):
            return word
    return "text"


def default_of(setting: str) -> str:
    value: Any = WorkerConfig()  # walks down any of the classes
    for part in setting.split("."):
        value = getattr(value, part)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if value == {}:
        return ""
    kind = kind_of(setting)
    if kind == "duration":
        return f"{value:g}s"
    if kind == "size":
        return f"{value // 1024**2}MiB"
    return f"{value:g}" if isinstance(value, float) else str(value)


def what_it_does(setting: str) -> str:
    owner, _, leaf = setting.rpartition(".")
    text = descriptions(CLASSES[owner])[leaf]
    text = re.sub(r" ?KCL: [^.]*\.", "", text)  # it has a column of its own
    return text.replace("|", "\\|").strip()


def settings_page() -> str:
    parts = [SETTINGS_HEAD]
    for owner, kind in CLASSES.items():
        names = [name for name in known_settings() if name.rpartition(".")[0] == owner]
        parts.append(f"\n## `{kind.__name__}`\n")
        parts.append("| setting | default | as | what | Java |\n|---|---|---|---|---|")
        parts.extend(
            f"| `{name}` | {code(default_of(name))} | {kind_of(name)} | {what_it_does(name)} "
            f"| {code(JAVA.get(name, ''))} |"
            for name in names
        )
    parts.append(SETTINGS_TAIL)
    parts.append(PRODUCER_HEAD)
    parts.extend(producer_rows())
    return "\n".join(parts) + "\n"


def producer_rows() -> Iterator[str]:
    """A row for each setting of a producer."""
    texts = descriptions(ProducerConfig)
    for setting in fields(ProducerConfig):
        kind, default = producer_kind(setting), setting.default
        if kind == "bytes":
            default = f"{setting.default // 1024**2} * 1024**2"
        what = texts[setting.name].replace("|", "\\|")
        yield f"| `{setting.name}` | {code(str(default))} | {kind} | {what} |"


def producer_kind(setting: Field[Any]) -> str:
    """What a setting of a producer is, by its type and name."""
    hint = get_type_hints(ProducerConfig)[setting.name]
    choices = [f"`{choice}`" for choice in get_args(hint) if isinstance(choice, str)]
    if choices:
        return " or ".join(choices)
    kinds = {*get_args(hint)} - {NoneType} or {hint}
    if setting.name.endswith("_bytes"):
        return "bytes"
    if kinds == {float} and "_per_" not in setting.name:
        return "seconds"
    return "text" if kinds == {str} else "number"


# ------------------------------------------------------------------------------------ commands


@dataclass(frozen=True)
class Parameter:
    """One option or argument, as its function declares it."""

    names: tuple[str, ...]
    value: str
    text: str
    variable: str

    @property
    def row(self) -> str:
        spelled = ", ".join(f"`{name}`" for name in self.names)
        value = f" `{self.value}`" if self.value else ""
        variable = f" Variable: `{self.variable}`." if self.variable else ""
        return f"| {escape(spelled + value)} | {escape(self.text)}{variable} |"


def parameters(
    function: Callable[..., object], kind: type[OptionInfo | ArgumentInfo]
) -> dict[str, Parameter]:
    """Options or arguments of a command that are shown."""
    hints = get_type_hints(function, include_extras=True)
    found = {}
    for name in inspect.signature(function).parameters:
        declared, *info = get_args(hints[name]) or (hints[name],)  # the context is no Annotated
        shown = [item for item in info if isinstance(item, kind) and not item.hidden]
        if shown:
            found[name] = read_parameter(declared, shown[0])
    return found


def read_parameter(declared: object, info: OptionInfo | ArgumentInfo) -> Parameter:
    # Inside Annotated the first name stands where a default would.
    given = (info.default, *(getattr(info, "param_decls", None) or ()))
    names = tuple(name for name in given if isinstance(name, str))
    value = info.metavar or ""
    if not value and declared is not bool:
        kinds = [kind for kind in (declared, *get_args(declared)) if isinstance(kind, type)]
        choices = [kind for kind in kinds if issubclass(kind, Enum)]
        value = "|".join(item.value for kind in choices for item in kind) or "N"
    return Parameter(names, value, info.help or "", str(info.envvar or ""))


def table_of(options: Iterable[Parameter]) -> list[str]:
    return ["| option | what |", "|---|---|", *(option.row for option in options)]


def commands_page() -> str:
    app = whole_app()
    commands = [(str(item.name), item) for item in app.registered_commands]
    for group in app.registered_groups:
        alone = GROUPS[str(group.name)].alone
        if alone is not None:
            info = CommandInfo(callback=with_shared(alone.load()), epilog=alone.epilog)
            commands.append((str(group.name), info))
        inside = group.typer_instance.registered_commands if group.typer_instance else []
        commands += [(f"{group.name} {item.name}", item) for item in inside]
    functions = {name: item.callback for name, item in commands}
    options = {name: parameters(f, OptionInfo) for name, f in functions.items() if f}
    every = [set(found) for found in options.values()]
    shared = {key: item for key, item in options["run"].items() if all(key in s for s in every)}
    parts = [CLI_HEAD]
    for name, item in commands:
        if item.callback is not None:
            parts += section(name, item.callback, item.epilog, options[name], shared)
    parts += ["\n## Options of every command\n", *table_of(shared.values())]
    return "\n".join(parts) + "\n"


def section(
    name: str,
    function: Callable[..., object],
    epilog: str | None,
    options: Mapping[str, Parameter],
    shared: Iterable[str],
) -> list[str]:
    """What the page says of one command."""
    arguments = parameters(function, ArgumentInfo)
    usage = " ".join([f"kcl {name} [OPTIONS]", *(item.value for item in arguments.values())])
    parts = [f"\n## `kcl {name}`\n", f"```\n{usage}\n```\n", str(inspect.getdoc(function))]
    own = [item for key, item in options.items() if key not in shared]
    if own:
        parts += ["", *table_of(own)]
    if epilog:
        lines = [line.strip() for line in epilog.splitlines()[2:]]
        parts += ["\n```sh\n" + "\n".join(lines) + "\n```"]
    return parts


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def escape(text: str) -> str:
    return text.replace("|", "\\|")


# ------------------------------------------------------------------------------------ other names


def names_page() -> str:
    """Every name of the Java KCL and amazon_kclpy, and what it is here."""
    parts = [NAMES_HEAD]
    for group, names in KCL_NAMES.items():
        parts += [f"\n## {group}\n", "| there | default there | here | difference |"]
        parts.append("|---|---|---|---|")
        for each in names:
            here, _, more = each.here.partition(", ")
            spelled = f"{code(here)}{', ' * bool(more)}{more}" if here else "none"
            parts.append(f"| `{each.name}` | {each.default} | {spelled} | {each.says} |")
    return "\n".join(parts) + "\n"


PAGES = {
    "kcl-names.md": names_page,
    "settings.md": settings_page,
    "cli.md": commands_page,
    "metrics.md": lambda: metrics_page(MADE),
    "testing.md": lambda: testing_page(MADE),
    "iam.md": lambda: iam_page(MADE),
}


if __name__ == "__main__":
    for page, make in PAGES.items():
        (FOLDER / page).write_text(make(), encoding="utf-8")
        print(f"made {FOLDER.name}/{page}")
    write_policies()
    print("made deploy/iam")
